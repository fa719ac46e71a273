#include "headroom/plan/check.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/operands.h"

namespace headroom {
namespace {

constexpr ValueId kScratch = -2;
constexpr ValueId kForeign = -3;  // a persistent value that only other graphs or runs in other slots read

// The arena and the other tiers while one graph runs in one slot: which value each range of bytes holds.
class Machine {
 public:
  Machine(const Job& job, const Plan& plan, size_t index, int32_t slot)
      : job_(job),
        plan_(plan),
        placed_(plan.graphs[index]),
        graph_(job.graphs[index]),
        slot_(slot),
        processor_(job.processor),
        at_(graph_.nodes.size()) {
    ensure(placed_.offsets_bytes.size() == graph_.values.size() &&
               placed_.scratch_offsets_bytes.size() == graph_.nodes.size() &&
               placed_.scratch_bytes.size() == graph_.nodes.size() &&
               (placed_.slot_bytes.empty() || placed_.slot_bytes.size() == graph_.values.size()),
           "the plan of graph '{}' is that of another graph", graph_.name);
    count_reads();
    load_persistent();
  }

  void run() {
    for (at_ = 0; at_ < graph_.nodes.size(); ++at_) step(graph_.nodes[at_]);
    for (const Carry& carry : graph_.carries) {
      ensure(offset_of(carry.next) == offset_of(carry.input), "{}: '{}' is carried as '{}' but lies elsewhere", where(),
             graph_.value(carry.input).name, graph_.value(carry.next).name);
    }
    ensure(in_flight_.empty(), "{}: nobody waits for '{}'", where(),
           in_flight_.empty() ? "" : graph_.value(in_flight_.begin()->first).name);
  }

 private:
  struct Range {
    int64_t end;
    ValueId value;
    const std::string* name;
  };
  using Held = std::map<int64_t, Range>;  // by begin; ranges never overlap

  Tier tier_of(ValueId id) const { return graph_.value(id).tier; }
  Held& held(Tier tier) { return held_[static_cast<size_t>(tier)]; }
  const Held& held(Tier tier) const { return held_[static_cast<size_t>(tier)]; }
  int64_t offset_of(ValueId id) const { return placed_.offset_of(id, slot_); }
  std::string where() const {
    return at_ < graph_.nodes.size()
               ? fmt::format("graph '{}', node {} ({})", graph_.name, at_, graph_.nodes[at_].op->name())
               : fmt::format("graph '{}'", graph_.name);
  }

  // Reads that are still to come; whoever looks after the step counts as one, so that what is for him never dies.
  void count_reads() {
    reads_left_.assign(graph_.values.size(), 0);
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.inputs) ++reads_left_[static_cast<size_t>(id)];
    }
    for (const ValueId id : graph_.results) ++reads_left_[static_cast<size_t>(id)];
    for (const ValueId id : graph_.inputs) ++reads_left_[static_cast<size_t>(id)];
    for (const Carry& carry : graph_.carries) {
      --reads_left_[static_cast<size_t>(carry.input)];
      ++reads_left_[static_cast<size_t>(carry.next)];
    }
  }

  void load_persistent() {
    std::map<std::string_view, ValueId> own;
    for (const ValueId id : graph_.inputs) own.emplace(graph_.value(id).name, id);
    for (const PersistentValue& value : plan_.persistent) {
      ensure(value.slots == job_.slots_of(value.name), "'{}' has {} slots; expected {}", value.name, value.slots,
             job_.slots_of(value.name));
      const auto found = own.find(value.name);
      const ValueId id = found == own.end() ? kForeign : found->second;
      const int32_t own_slot = value.slots > 1 ? slot_ : 0;
      for (int32_t slot = 0; slot < value.slots; ++slot) {
        const int64_t begin = value.offset_bytes + slot * value.slot_bytes;
        load_copy(value, begin, slot == own_slot ? id : kForeign);
      }
      if (id != kForeign) own.erase(found);
    }
    ensure(own.empty(), "{}: the plan has no place for the input '{}'", where(), own.empty() ? "" : own.begin()->first);
  }

  // A copy of `value` at `begin`: the one that the graph uses as `id`, or one for others.
  void load_copy(const PersistentValue& value, int64_t begin, ValueId id) {
    ensure(id == kForeign || offset_of(id) == begin, "{}: '{}' lies at {}, but the job keeps it at {}", where(),
           value.name, id == kForeign ? 0 : offset_of(id), begin);
    ensure(id == kForeign || tier_of(id) == value.tier, "{}: '{}' is kept in another tier", where(), value.name);
    ensure(value.tier != Tier::device || begin + value.type.bytes() <= plan_.persistent_bytes,
           "{}: '{}' reaches out of the persistent region", where(), value.name);
    hold(value.tier, begin, value.type.bytes(), id, value.name);
  }

  void step(const Node& node) {
    for (const ValueId id : node.inputs) {
      expect_held(id);
      expect_there(node, id);
      --reads_left_[static_cast<size_t>(id)];
    }
    const TypedNode typed = types_.of(graph_, node);
    const int64_t scratch_bytes = processor_.kernels->scratch_bytes(node.op->name(), typed, processor_.threads);
    ensure(placed_.scratch_bytes[at_] == scratch_bytes, "{}: the plan has {} bytes of scratch; expected {}", where(),
           placed_.scratch_bytes[at_], scratch_bytes);
    if (scratch_bytes > 0) {
      hold(Tier::device, placed_.scratch_offsets_bytes[at_], scratch_bytes, kScratch, scratch_name_);
    }

    const std::vector<StoragePair> updated = node.op->in_place(typed);
    std::vector<StoragePair> allowed = node.op->may_reuse(typed);
    allowed.insert(allowed.end(), updated.begin(), updated.end());
    for (const StoragePair pair : updated) {
      const ValueId output = node.outputs[static_cast<size_t>(pair.output)];
      const ValueId input = node.inputs[static_cast<size_t>(pair.input)];
      ensure(offset_of(output) == offset_of(input), "{}: '{}' is updated in place, but '{}' lies elsewhere", where(),
             graph_.value(input).name, graph_.value(output).name);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) write(node, static_cast<int>(i), allowed);

    if (node.op->course() == Course::begin) begin(node);
    if (scratch_bytes > 0) held(Tier::device).erase(placed_.scratch_offsets_bytes[at_]);
    for (const ValueId id : node.inputs) drop_if_dead(id);
    for (const ValueId id : node.outputs) drop_if_dead(id);
  }

  // From here to the wait the node's lane reads and writes its buffers, whatever runs on the others.
  void begin(const Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (static_cast<int>(i) == node.op->rows_input()) continue;  // read when it begins
      if (!node.op->reads_input(node, i)) continue;                // its storage is the output's now
      if (tier_of(node.inputs[i]) != Tier::device) continue;
      Flight& flight = in_flight_[node.inputs[i]];
      flight = {node.op->lane(), false, flight.times + 1};
    }
    for (const ValueId id : node.outputs) {
      if (tier_of(id) == Tier::device) in_flight_[id] = {node.op->lane(), true, 1};
    }
  }

  // What a lane has begun to write is nobody's to read but the wait's, which ends the flight.
  void expect_there(const Node& node, ValueId id) {
    const auto flight = in_flight_.find(id);
    if (node.op->course() == Course::wait && tier_of(id) == Tier::device) {
      ensure(flight != in_flight_.end() && flight->second.lane == node.op->lane(),
             "{}: waits for '{}', which the lane {} does not move", where(), graph_.value(id).name,
             name_of(node.op->lane()));
      if (--flight->second.times == 0) in_flight_.erase(flight);
    } else {
      ensure(flight == in_flight_.end() || !flight->second.writes, "{}: reads '{}' before the lane {} has written it",
             where(), graph_.value(id).name, name_of(flight->second.lane));
    }
  }

  // The output at `position` takes its bytes, from an operand that dies here where the op allows it, and more behind it
  // where nobody is.
  void write(const Node& node, int position, const std::vector<StoragePair>& allowed) {
    const Value& value = graph_.value(node.outputs[static_cast<size_t>(position)]);
    const int64_t begin = offset_of(node.outputs[static_cast<size_t>(position)]);
    Held& of_tier = held(value.tier);
    const auto there = of_tier.find(begin);
    if (there != of_tier.end() && there->second.value >= 0 && there->second.end <= begin + value.bytes() &&
        may_take(node, position, there->second.value, allowed)) {
      of_tier.erase(there);
    }
    hold(value.tier, begin, value.bytes(), node.outputs[static_cast<size_t>(position)], value.name);
  }

  bool may_take(const Node& node, int position, ValueId operand, const std::vector<StoragePair>& allowed) const {
    bool reads_it = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != operand) continue;
      reads_it = true;
      const auto fits = [&](StoragePair pair) { return pair.output == position && pair.input == static_cast<int>(i); };
      if (std::none_of(allowed.begin(), allowed.end(), fits)) return false;
    }
    return reads_it && reads_left_[static_cast<size_t>(operand)] == 0 && !in_flight_.contains(operand);
  }

  // Marks [begin, begin + bytes) as held; nothing alive may be there.
  void hold(Tier tier, int64_t begin, int64_t bytes, ValueId id, const std::string& name) {
    const int64_t end_of_tier = plan_.bytes_in(tier);
    ensure(begin >= 0 && begin % alignment_ == 0 && bytes >= 0 && begin + bytes <= end_of_tier,
           "{}: '{}' ({} bytes at {}) does not lie on a line of {} within the {} bytes of the {}", where(), name, bytes,
           begin, alignment_, end_of_tier, name_of(tier));
    if (bytes == 0) return;
    Held& of_tier = held(tier);
    auto next = of_tier.lower_bound(begin);
    if (next != of_tier.begin() && std::prev(next)->second.end > begin) --next;
    if (next != of_tier.end() && next->first < begin + bytes) {
      throw InternalError("{}: '{}' (bytes {} to {}) overlaps '{}' (bytes {} to {}), which is alive", where(), name,
                          begin, begin + bytes, *next->second.name, next->first, next->second.end);
    }
    of_tier.emplace_hint(next, begin, Range{begin + bytes, id, &name});
  }

  bool is_held(ValueId id) const {
    const auto found = held(tier_of(id)).find(offset_of(id));
    return graph_.value(id).bytes() == 0 || (found != held(tier_of(id)).end() && found->second.value == id);
  }

  void expect_held(ValueId id) const {
    if (is_held(id)) return;
    const auto found = held(tier_of(id)).find(offset_of(id));
    throw InternalError("{}: the operand '{}' is gone: its place holds {}", where(), graph_.value(id).name,
                        found == held(tier_of(id)).end() ? "nothing" : "'" + *found->second.name + "'");
  }

  void drop_if_dead(ValueId id) {
    if (reads_left_[static_cast<size_t>(id)] == 0 && graph_.value(id).bytes() > 0 && !in_flight_.contains(id) &&
        is_held(id))
      held(tier_of(id)).erase(offset_of(id));
  }

  struct Flight {
    Lane lane = Lane::compute;
    bool writes = false;
    int times = 0;  // a lane may send one value several times at once
  };

  const Job& job_;
  const Plan& plan_;
  const GraphPlan& placed_;
  const Graph& graph_;
  const int32_t slot_;
  const Processor processor_;
  const int64_t alignment_ = plan_.alignment_bytes;
  size_t at_;  // the node that runs; their number before and after
  const std::string scratch_name_ = "scratch";
  std::vector<int32_t> reads_left_;
  std::array<Held, kTiers> held_;        // by tier
  std::map<ValueId, Flight> in_flight_;  // buffers that lanes read or write while nodes run
  OperandTypes types_;
};

}  // namespace

void check_plan(const Job& job, const Plan& plan) {
  ensure(plan.graphs.size() == job.graphs.size(), "the plan is that of another job");
  ensure(plan.persistent_bytes + plan.transient_bytes == plan.arena_bytes, "the regions do not add up to the arena");
  ensure(job.staging_bytes <= plan.transient_bytes, "no room for {} bytes of staging memory", job.staging_bytes);
  ensure(plan.alignment_bytes >= 64 &&
             ((plan.disk_bytes == 0 && plan.model_bytes == 0) || plan.alignment_bytes % 4096 == 0),
         "blocks on lines of {} bytes", plan.alignment_bytes);
  for (size_t i = 0; i < job.graphs.size(); ++i) {
    for (int32_t slot = 0; slot < plan.graphs[i].slots; ++slot) Machine(job, plan, i, slot).run();
  }
}

}  // namespace headroom
