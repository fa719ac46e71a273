#include "headroom/runtime/rank_exchange.h"

#include <algorithm>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/graph/rank_attributes.h"

namespace headroom {
namespace {

RankExchange bind_gather(const Tensor& part, const Tensor& whole, const RankParts& parts, int rank) {
  const int64_t element = size_of(whole.type.dtype);
  const auto bytes_of = [&](int64_t of) { return parts.held(of) * element; };
  const auto place_of = [&](int64_t of) { return whole.data + parts.first(of) * element; };
  RankExchange bound;
  for (int peer = 0; peer < parts.ranks; ++peer) {
    if (peer == rank) continue;
    bound.messages.sends.push_back({peer, part.data, bytes_of(rank)});
    bound.messages.receives.push_back({peer, place_of(peer), bytes_of(peer)});
  }
  bound.own = {part.data, place_of(rank), bytes_of(rank)};
  return bound;
}

RankExchange bind_scatter(const Tensor& whole, const Tensor& rows, const RankParts& parts, int64_t panel_first,
                          int rank) {
  const int64_t element = size_of(whole.type.dtype);
  const int64_t row_bytes = rows.dim(1) * element;
  const auto bytes_of = [&](int64_t of) {
    return std::clamp<int64_t>(parts.held(of) - panel_first, 0, rows.dim(1)) * element;
  };
  const auto panel_of = [&](int64_t of) { return whole.data + (parts.first(of) + panel_first) * element; };
  RankExchange bound;
  for (int peer = 0; peer < parts.ranks; ++peer) {
    std::byte* row = rows.data + peer * row_bytes;
    if (bytes_of(rank) < row_bytes) bound.zeros.push_back({row + bytes_of(rank), row_bytes - bytes_of(rank)});
    if (peer == rank) {
      bound.own = {panel_of(rank), row, bytes_of(rank)};
      continue;
    }
    if (bytes_of(peer) > 0) bound.messages.sends.push_back({peer, panel_of(peer), bytes_of(peer)});
    if (bytes_of(rank) > 0) bound.messages.receives.push_back({peer, row, bytes_of(rank)});
  }
  return bound;
}

}  // namespace

void RankExchange::begin(Communicator& ranks) {
  if (own.size_bytes > 0) std::memcpy(own.to, own.from, static_cast<size_t>(own.size_bytes));
  for (const Zeros& zero : zeros) std::memset(zero.at, 0, static_cast<size_t>(zero.size_bytes));
  ranks.begin(messages);
}

RankExchange bind_exchange(const Node& begins, const Tensor& from, const Tensor& to, const Communicator& ranks) {
  const bool gathers = begins.op->transfer() == Transfer::gather;
  const RankParts parts = rank_parts_of(begins.attributes, (gathers ? to : from).elements());
  ensure(parts.ranks == ranks.size(), "{} is for {} ranks, the job has {}", begins.op->name(), parts.ranks,
         ranks.size());
  if (gathers) return bind_gather(from, to, parts, ranks.rank());
  return bind_scatter(from, to, parts, begins.attributes.integer("first"), ranks.rank());
}

}  // namespace headroom
