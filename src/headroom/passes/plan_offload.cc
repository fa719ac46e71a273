// What leaves the memory, and in which order.
#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/graph/binding.h"
#include "headroom/graph/op.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/offload_visits.h"

namespace headroom {
namespace {

// Smaller values are not worth a request.
constexpr int64_t kLeastBytes = 16 * kKiB;
// An activation must be away for so many nodes.
constexpr int32_t kLeastAway = 16;

constexpr int64_t kLeastPanelBytes = 64 * kKiB;
constexpr int64_t kMostPanelBytes = 4 * kMiB;
// Wider ones where so many would not hold all that can leave: each is a few nodes, which planning walks again and
// again.
constexpr double kMostPanels = 4096;
// In flight, small panels are several: a disk that is asked for one at a time is as slow as its answers. More than this
// it does not need; and of what leaves it is a small part.
constexpr int64_t kMostInFlightBytes = 8 * kMiB;
constexpr int64_t kLeastPartsInFlight = 32;

enum class Kind : uint8_t { optimizer_state, gradient, activation, weight };

struct Unit {
  Kind kind = Kind::weight;
  int64_t bytes = 0;
  int32_t away = 0;  // nodes that the longest absence lasts
  ValueId root = kNoValue;
};

int32_t longest_absence(const Storage& storage) {
  int32_t away = 0;
  for (size_t i = 1; i < storage.visits.size(); ++i) {
    away = std::max(away, storage.visits[i].first - storage.visits[i - 1].last);
  }
  return away;
}

bool is_allowed(Kind kind, const OffloadKinds& kinds) {
  switch (kind) {
    case Kind::optimizer_state:
    case Kind::gradient: return kinds.optimizer;
    case Kind::activation: return kinds.activations;
    case Kind::weight: return kinds.weights;
  }
  return false;
}

bool find_kind(const Graph& step, const Storage& storage, Kind& kind) {
  const bool by_panels =
      std::any_of(storage.visits.begin(), storage.visits.end(), [](const Visit& visit) { return visit.by_panels; });
  switch (step.value(storage.root).role) {
    case Role::optimizer_state: kind = Kind::optimizer_state; return storage.is_input && by_panels;
    case Role::gradient: kind = Kind::gradient; return true;
    case Role::activation: kind = Kind::activation; return !storage.is_input;
    case Role::weight: kind = Kind::weight; return storage.is_input;
    default: return false;
  }
}

// All that can leave, in the order in which it does.
std::vector<Unit> find_units(const Graph& step, const OffloadKinds& kinds) {
  std::vector<Unit> units;
  for (const Storage& storage : find_storages(step)) {
    const Value& value = step.value(storage.root);
    Unit unit;
    unit.bytes = value.bytes();
    unit.away = longest_absence(storage);
    unit.root = storage.root;
    if (unit.bytes < kLeastBytes || storage.is_result || !find_kind(step, storage, unit.kind)) continue;
    if (!is_allowed(unit.kind, kinds)) continue;
    if (value.binding != nullptr && value.binding->stays) continue;
    if (!storage.is_input && storage.visits.size() < 2) continue;
    if (unit.kind == Kind::activation && unit.away < kLeastAway) continue;
    units.push_back(unit);
  }
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.kind == Kind::activation ? a.away > b.away : a.bytes < b.bytes;
  });
  return units;
}

}  // namespace

OffloadPlan plan_offload(const Graph& step, const OffloadSettings& settings) {
  OffloadPlan plan;
  plan.to = settings.to;
  const std::vector<Unit> units = find_units(step, settings.kinds);
  double left = 0;
  for (const Unit& unit : units) left += static_cast<double>(unit.bytes);
  const int64_t widest = std::max(kMostPanelBytes, static_cast<int64_t>(left / kMostPanels));
  left *= settings.share;
  int64_t largest = 0;
  int64_t leaving = 0;
  for (const Unit& unit : units) {
    if (left <= 0) break;
    left -= static_cast<double>(unit.bytes);
    plan.values.insert(step.value(unit.root).name);
    largest = std::max(largest, unit.bytes);
    leaving += unit.bytes;
  }
  plan.panel_bytes = std::clamp(largest / 8, kLeastPanelBytes, widest);
  if (settings.overlap) {
    plan.in_flight_bytes =
        std::clamp(leaving / kLeastPartsInFlight, plan.panel_bytes, std::max(kMostInFlightBytes, widest));
  }
  return plan;
}

}  // namespace headroom
