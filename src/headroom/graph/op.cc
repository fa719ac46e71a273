#include "headroom/graph/op.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"

extern "C" {
[[gnu::weak]] extern const headroom::Op* const __start_headroom_ops[];
[[gnu::weak]] extern const headroom::Op* const __stop_headroom_ops[];
}

namespace headroom {

std::string_view name_of(Lane lane) {
  constexpr std::array<std::string_view, kLanes> kNames = {"compute", "disk", "link", "network"};
  return kNames[static_cast<size_t>(lane)];
}

Tier tier_behind(Lane lane) {
  constexpr std::array<Tier, kLanes> kTiersBehind = {Tier::device, Tier::disk, Tier::host, Tier::device};
  return kTiersBehind[static_cast<size_t>(lane)];
}

Price Op::price(const TypedNode& node) const {
  Price price;
  for (const Type& type : node.inputs) price.bytes += static_cast<double>(type.bytes());
  for (const Type& type : node.outputs) price.bytes += static_cast<double>(type.bytes());
  return price;
}

std::vector<ValueId> Op::gradient(Builder&, const Node&, std::span<const ValueId>) const {
  throw InternalError("{} has no gradient", name_);
}

const Op* find_op(std::string_view name) {
  const std::span<const Op* const> table{__start_headroom_ops, __stop_headroom_ops};
  const auto found = std::find_if(table.begin(), table.end(), [&](const Op* op) { return op->name() == name; });
  return found == table.end() ? nullptr : *found;
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops{__start_headroom_ops, __stop_headroom_ops};
  std::sort(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->name() < b->name(); });
  return ops;
}

}  // namespace headroom
