#include "headroom/comm/collectives.h"

#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kMaxTextBytes = 64 * kMiB;

void exchange_now(Communicator& ranks, Exchange& exchange) {
  ranks.begin(exchange);
  ranks.wait(exchange);
}

// What is sent is only read.
std::byte* to_send(const void* data) { return const_cast<std::byte*>(static_cast<const std::byte*>(data)); }

int64_t text_bytes_of(std::string_view text) {
  const auto size = static_cast<int64_t>(text.size());
  ensure(size <= kMaxTextBytes, "a text of {} bytes for other ranks; at most {}", size, kMaxTextBytes);
  return size;
}

}  // namespace

void barrier(Communicator& ranks) {
  Exchange exchange;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    if (peer == ranks.rank()) continue;
    exchange.sends.push_back({peer, nullptr, 0});
    exchange.receives.push_back({peer, nullptr, 0});
  }
  exchange_now(ranks, exchange);
}

void broadcast(Communicator& ranks, std::span<std::byte> bytes, int root) {
  Exchange exchange;
  const auto size = static_cast<int64_t>(bytes.size());
  if (ranks.rank() != root) {
    exchange.receives.push_back({root, bytes.data(), size});
  } else {
    for (int peer = 0; peer < ranks.size(); ++peer) {
      if (peer != root) exchange.sends.push_back({peer, bytes.data(), size});
    }
  }
  exchange_now(ranks, exchange);
}

void all_gather(Communicator& ranks, std::span<const std::byte> mine, std::span<std::byte> all) {
  ensure(all.size() == mine.size() * static_cast<size_t>(ranks.size()), "{} parts of {} bytes for a place of {}",
         ranks.size(), mine.size(), all.size());
  Exchange exchange;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    std::byte* part = all.data() + static_cast<size_t>(peer) * mine.size();
    if (peer == ranks.rank()) {
      if (!mine.empty() && part != mine.data()) std::memcpy(part, mine.data(), mine.size());
      continue;
    }
    exchange.sends.push_back({peer, to_send(mine.data()), static_cast<int64_t>(mine.size())});
    exchange.receives.push_back({peer, part, static_cast<int64_t>(mine.size())});
  }
  exchange_now(ranks, exchange);
}

std::string broadcast_text(Communicator& ranks, std::string_view text, int root) {
  int64_t size = text_bytes_of(text);
  broadcast(ranks, std::as_writable_bytes(std::span(&size, 1)), root);
  std::string result(ranks.rank() == root ? text : std::string_view());
  result.resize(static_cast<size_t>(size));
  broadcast(ranks, std::as_writable_bytes(std::span(result)), root);
  return result;
}

std::vector<std::string> all_gather_texts(Communicator& ranks, std::string_view mine) {
  const int64_t size = text_bytes_of(mine);
  std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()));
  all_gather(ranks, std::as_bytes(std::span(&size, 1)), std::as_writable_bytes(std::span(sizes)));
  std::vector<std::string> texts(sizes.size());
  Exchange exchange;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    std::string& text = texts[static_cast<size_t>(peer)];
    if (peer == ranks.rank()) {
      text = mine;
      continue;
    }
    text.resize(static_cast<size_t>(sizes[static_cast<size_t>(peer)]));
    exchange.sends.push_back({peer, to_send(mine.data()), size});
    exchange.receives.push_back(
        {peer, std::as_writable_bytes(std::span(text)).data(), sizes[static_cast<size_t>(peer)]});
  }
  exchange_now(ranks, exchange);
  return texts;
}

}  // namespace headroom
