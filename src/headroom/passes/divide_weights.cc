#include "headroom/passes/divide_weights.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/gather.h"
#include "headroom/passes/offload_visits.h"

namespace headroom {
namespace {

class WeightDivision {
 public:
  WeightDivision(Graph graph, const RankPlace& place, int64_t ahead_bytes)
      : graph_(std::move(graph)), build_(graph_), ahead_bytes_(ahead_bytes) {
    for (Storage& storage : find_storages(graph_)) {
      const Value& value = graph_.value(storage.root);
      if (!storage.is_input || value.role != Role::weight || !is_scalar(value.type.dtype)) continue;
      const RankParts parts = parts_of_weight(value.type.shape.elements(), place.ranks);
      if (parts.ranks == 1) continue;
      weights_[storage.root] = {value.type, parts};
      for (const Visit& visit : storage.visits) visits_.push_back({storage.root, visit.first, visit.last});
    }
    std::erase_if(visits_, [&](const Gathered& visit) { return !is_used(visit); });
    std::stable_sort(visits_.begin(), visits_.end(),
                     [](const Gathered& a, const Gathered& b) { return a.first < b.first; });
    for (auto& [id, weight] : weights_) become_part(id, weight);
  }

  Graph run() {
    int32_t at = 0;
    rebuild_nodes(build_, [&](Node&& node) {
      gather_for(at++);
      replace(std::move(node));
    });
    for (Carry& carry : graph_.carries) carry.next = updated_.of(carry.next);
    return without_dead_nodes(std::move(graph_));
  }

 private:
  struct Weight {
    Type whole;
    RankParts parts;
  };
  struct Gathered {
    ValueId weight = kNoValue;
    int32_t first = 0;
    int32_t last = 0;
  };

  // By more than its update, which has the part.
  bool is_used(const Gathered& visit) const {
    for (int32_t at = visit.first; at <= visit.last; ++at) {
      const Node& node = graph_.nodes[static_cast<size_t>(at)];
      if (node.op->name() == "take_part" || node.op->lane() == Lane::network) continue;
      if (std::find(node.inputs.begin(), node.inputs.end(), visit.weight) != node.inputs.end()) return true;
    }
    return false;
  }

  void become_part(ValueId id, const Weight& weight) {
    Value& value = graph_.value(id);
    rebind(value, [&](Binding& binding) { binding.cut = Cut{weight.whole.shape, weight.parts}; });
    value.type.shape = {weight.parts.room()};
  }

  // Begins what visits need that start here, and of those that follow as much as may arrive early.
  void gather_for(int32_t at) {
    const auto starts = [&](const Gathered& visit) { return visit.first == at; };
    if (next_ >= visits_.size() || !starts(visits_[next_])) return;
    const size_t here = next_;
    while (next_ < visits_.size() && starts(visits_[next_])) begin_until(++next_);
    int64_t ahead = 0;
    for (size_t later = next_; later < visits_.size(); ++later) {
      ahead += weights_.at(visits_[later].weight).whole.bytes();
      if (ahead > ahead_bytes_) break;
      begin_until(later + 1);
    }
    for (size_t visit = here; visit < next_; ++visit) {
      whole_.put(visits_[visit].weight, wait_for(build_, begun_.front()));
      begun_.pop_front();
    }
  }

  void begin_until(size_t end) {
    for (; begun_visits_ < end; ++begun_visits_) {
      const ValueId id = visits_[begun_visits_].weight;
      const Weight& weight = weights_.at(id);
      begun_.push_back(begin_gather(build_, id, weight.whole.shape, weight.parts, Role::staging));
    }
  }

  // Of the update: its part of the weight is the weight, and what it makes of it needs no gathering.
  void replace(Node&& node) {
    if (node.op->name() == "take_part" && weights_.contains(node.inputs[0])) {
      return updated_.put(node.outputs[0], node.inputs[0]);
    }
    if (node.op->name() == "gather" && node.inputs.size() == 2 && weights_.contains(node.inputs[1])) {
      arriving_[node.outputs[0]] = updated_.of(node.inputs[0]);
      return;
    }
    if (node.op->name() == "gathered" && arriving_.contains(node.inputs[0])) {
      return updated_.put(node.outputs[0], arriving_.at(node.inputs[0]));
    }
    updated_.apply(node.inputs);
    if (node.phase != Phase::update) whole_.apply(node.inputs);
    graph_.nodes.push_back(std::move(node));
  }

  Graph graph_;
  Builder build_;
  int64_t ahead_bytes_;
  std::unordered_map<ValueId, Weight> weights_;  // that are cut
  std::vector<Gathered> visits_;                 // by the node that they begin with
  size_t next_ = 0;                              // the first whose node is still to come
  size_t begun_visits_ = 0;
  std::deque<Gathering> begun_;
  Replacements whole_;                             // of a weight: as it was gathered last
  Replacements updated_;                           // of what the update made of wholes
  std::unordered_map<ValueId, ValueId> arriving_;  // what a gather of the update would have gathered
};

}  // namespace

Graph divide_weights(Graph graph, const RankPlace& place, int64_t ahead_bytes) {
  return WeightDivision(std::move(graph), place, ahead_bytes).run();
}

}  // namespace headroom
