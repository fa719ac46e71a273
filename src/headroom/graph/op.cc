#include "headroom/graph/op.h"

#include <algorithm>
#include <array>
#include <unordered_map>

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
  static const std::unordered_map<std::string_view, const Op*> table = [] {
    std::unordered_map<std::string_view, const Op*> by_name;
    for (const Op* op : all_ops()) by_name.emplace(op->name(), op);
    return by_name;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops{__start_headroom_ops, __stop_headroom_ops};
  std::sort(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->name() < b->name(); });
  return ops;
}

}  // namespace headroom
