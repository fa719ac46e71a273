#include "headroom/passes/divide_updates.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/add_rank_rows.h"
#include "headroom/ops/gather.h"
#include "headroom/ops/scatter.h"
#include "headroom/ops/sum.h"
#include "headroom/ops/take_part.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

class UpdateDivision {
 public:
  UpdateDivision(Graph graph, const DividedUpdates& settings)
      : graph_(std::move(graph)), build_(graph_), settings_(settings), trained_(trained_weights(graph_)) {
    const Uses uses(graph_);
    for (const TrainedWeight& one : trained_) {
      const int64_t elements = graph_.value(one.weight).type.shape.elements();
      gradients_[one.gradient] = {.weight = one.weight,
                                  .parts = parts_of_weight(elements, settings_.place.ranks),
                                  .producer = uses.producer[static_cast<size_t>(one.gradient)]};
    }
  }

  Graph run() {
    int32_t at = 0;
    rebuild_nodes(build_, [&](Node&& node) {
      if (settings_.stage < 2 && reads_gradient(node)) begin_all();
      const std::vector<ValueId> outputs = node.outputs;
      visit(std::move(node));
      if (settings_.stage >= 2) {
        for (const ValueId id : outputs) {
          const auto found = gradients_.find(id);
          if (found != gradients_.end() && found->second.producer == at) begin(id, found->second);
        }
      }
      ++at;
    });
    finish_weights(0);
    add_losses();
    for (Carry& carry : graph_.carries) {
      const auto found = gradients_.find(carry.next);  // a sum that goes on; its own elements, where parts are added
      if (found == gradients_.end() || !is_divided(found->second)) carry.next = replaced_.of(carry.next);
    }
    replaced_.apply(graph_.results);
    return without_dead_nodes(std::move(graph_));
  }

 private:
  struct Gradient {
    ValueId weight = kNoValue;
    RankParts parts;
    int32_t producer = -1;
    bool is_begun = false;

    bool is_cut() const { return parts.ranks > 1; }
  };

  // Versions of a gradient, or of a panel of its parts, on their way.
  struct Arriving {
    ValueId gradient = kNoValue;
    int64_t bytes = 0;
    int64_t first = 0;  // of the panel
    bool is_last = false;
    Scattering scattering;  // of a gradient that is cut
    Gathering gathering;    // of one that is not
  };

  int64_t ranks() const { return settings_.place.ranks; }
  bool is_divided(const Gradient& gradient) const { return gradient.is_cut() && settings_.stage > 0; }

  bool reads_gradient(const Node& node) const {
    return node.phase == Phase::update && std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
             const auto found = gradients_.find(id);
             return found != gradients_.end() && !found->second.is_begun;
           });
  }

  void begin_all() {
    for (const TrainedWeight& one : trained_) begin(one.gradient, gradients_.at(one.gradient));
  }

  // Where updates move to is decided later; what goes over the network stays where it is put here.
  void begin(ValueId id, Gradient& gradient) {
    if (std::exchange(gradient.is_begun, true)) return;
    const Phase phase = build_.phase();
    build_.set_phase(Phase::backward);
    const int64_t elements = graph_.value(id).type.shape.elements();
    if (gradient.is_cut()) {
      const int64_t room = gradient.parts.room();
      const int64_t most = std::max(settings_.panel_bytes / (4 * ranks()) / kNormBlock, int64_t{1}) * kNormBlock;
      for (int64_t first = 0; first < room; first += most) {
        const int64_t size = std::min(most, room - first);
        make_way(4 * ranks() * size);
        arriving_.push_back({.gradient = id,
                             .bytes = 4 * ranks() * size,
                             .first = first,
                             .is_last = first + size == room,
                             .scattering = begin_scatter(build_, id, gradient.parts, first, size),
                             .gathering = {}});
      }
    } else {
      make_way(4 * ranks() * elements);
      const RankParts rows{ranks() * elements, elements, ranks()};
      arriving_.push_back({.gradient = id,
                           .bytes = 4 * ranks() * elements,
                           .first = 0,
                           .is_last = true,
                           .scattering = {},
                           .gathering = begin_gather(build_, flat(id), {ranks(), elements}, rows, Role::gradient)});
    }
    build_.set_phase(phase);
  }

  // A gather takes a part of one dimension.
  ValueId flat(ValueId id) {
    const int64_t elements = build_.type(id).shape.elements();
    return build_.type(id).shape.rank() == 1 ? id : take_part(build_, id, {elements, elements, 1}, 0);
  }

  void make_way(int64_t bytes) {
    int64_t in_flight = bytes;
    for (const Arriving& one : arriving_) in_flight += one.bytes;
    while (!arriving_.empty() && in_flight > settings_.in_flight_bytes) {
      in_flight -= arriving_.front().bytes;
      finish_oldest();
    }
  }

  void finish_oldest() {
    const Arriving one = std::move(arriving_.front());
    arriving_.pop_front();
    Gradient& gradient = gradients_.at(one.gradient);
    if (!gradient.is_cut()) {
      const ValueId rows = wait_for(build_, one.gathering);
      replaced_.put(one.gradient, add_rank_rows_into(build_, one.gradient, rows, 0));
      return;
    }
    const ValueId rows = wait_for(build_, one.scattering);
    const ValueId sum = one.first == 0 ? add_rank_rows(build_, rows, 0, gradient.parts.room())
                                       : add_rank_rows_into(build_, sums_.at(one.gradient), rows, one.first);
    sums_[one.gradient] = sum;
    if (!one.is_last) return;
    if (settings_.stage > 0) return replaced_.put(one.gradient, sum);
    const Gathering whole = begin_gather_into(build_, one.gradient, sum, gradient.parts);
    replaced_.put(one.gradient, wait_for(build_, whole));
  }

  // Until the sum of the gradient is there.
  void finish(ValueId gradient) {
    const Phase phase = build_.phase();
    build_.set_phase(Phase::backward);
    begin(gradient, gradients_.at(gradient));
    while (!replaced_.has(gradient)) finish_oldest();
    build_.set_phase(phase);
  }

  void visit(Node&& node) {
    if (node.outputs.size() == 1 && graph_.value(node.outputs[0]).name == "loss_sum") {
      loss_sum_ = std::move(node);
      return;
    }
    ValueId gradient = kNoValue;
    for (const ValueId id : node.inputs) {
      if (node.phase != Phase::update || !gradients_.contains(id)) continue;
      gradient = id;
      finish(id);
    }
    for (const ValueId id : node.inputs) wait_for_norm(id);
    replaced_.apply(node.inputs);
    if (gradient == kNoValue || !is_divided(gradients_.at(gradient))) {
      graph_.nodes.push_back(std::move(node));
    } else if (node.op->panel_unit() > 0) {
      update_part(node, gradients_.at(gradient));
    } else {
      ensure(node.op->name() == "squared_norm", "{} reads a gradient that is divided", node.op->name());
      begin_norm(node, gradients_.at(gradient));
    }
  }

  // The losses of the whole batch, of which each rank has written its rows; at the end, so that no weight is given up
  // between the forward and the backward of the last layer.
  void add_losses() {
    if (loss_sum_.op == nullptr) return;
    build_.set_segment(loss_sum_.segment);
    build_.set_phase(loss_sum_.phase);
    const ValueId losses = loss_sum_.inputs[0];
    const int64_t elements = build_.type(losses).shape.elements();
    const RankParts rows{elements, elements / ranks(), ranks()};
    const ValueId own = take_part(build_, losses, rows, settings_.place.rank);
    loss_sum_.inputs[0] = wait_for(build_, begin_gather(build_, own, {elements}, rows, Role::activation));
    graph_.nodes.push_back(std::move(loss_sum_));
  }

  void begin_norm(const Node& node, const Gradient& gradient) {
    const RankParts blocks{gradient.parts.blocks(), 1, ranks()};
    const ValueId own = squared_norms_of_blocks(build_, node.inputs[0]);
    norms_[node.outputs[0]] = begin_gather(build_, own, {blocks.elements}, blocks, Role::activation);
  }

  void wait_for_norm(ValueId norm) {
    const auto found = norms_.find(norm);
    if (found == norms_.end() || replaced_.has(norm)) return;
    const Phase phase = build_.phase();
    build_.set_phase(Phase::backward);
    const ValueId blocks = wait_for(build_, found->second);
    build_.set_phase(phase);
    replaced_.put(norm, add_block_sums(build_, blocks));
  }

  void update_part(const Node& node, const Gradient& gradient) {
    std::vector<ValueId> inputs = node.inputs;
    for (ValueId& id : inputs) {
      if (id == gradient.weight) {
        id = take_part(build_, id, gradient.parts, settings_.place.rank);
      } else if (graph_.value(id).role == Role::optimizer_state) {
        become_part(id, gradient.parts, node.op->panel_unit());
      }
    }
    Attributes attributes = node.attributes;
    if (build_.type(gradient.weight).dtype != DType::f32) {  // random numbers count the whole's elements
      attributes.set("first", gradient.parts.first(settings_.place.rank));
      attributes.set("elements", gradient.parts.room());
    }
    const std::vector<ValueId> outputs = build_.node(node.op->name(), inputs, attributes, Role::optimizer_state);
    for (size_t i = 0; i < outputs.size(); ++i) {
      graph_.value(outputs[i]).role = graph_.value(node.outputs[i]).role;
      replaced_.put(node.outputs[i], outputs[i]);
    }
    weights_.push_back({node.outputs[0], begin_gather_into(build_, gradient.weight, outputs[0], gradient.parts)});
    finish_weights(settings_.in_flight_bytes > 0 ? 1 : 0);
  }

  // The older of those that are being gathered, until so many are left.
  void finish_weights(size_t left) {
    const Phase phase = build_.phase();
    if (settings_.in_flight_bytes > 0) build_.set_phase(Phase::backward);
    for (; weights_.size() > left; weights_.pop_front()) {
      replaced_.put(weights_.front().first, wait_for(build_, weights_.front().second));
    }
    build_.set_phase(phase);
  }

  // Of a graph input that has an element for each of the weight's, or one for each `unit` of them.
  void become_part(ValueId id, const RankParts& parts, int64_t unit) {
    Value& value = graph_.value(id);
    const int64_t elements = value.type.shape.elements();
    const bool is_scale = elements != parts.elements;
    const RankParts own = is_scale ? RankParts{elements, parts.unit / unit, parts.ranks} : parts;
    ensure(!is_scale || elements == (parts.elements + unit - 1) / unit, "'{}' is no part of its weight", value.name);
    rebind(value, [&](Binding& binding) { binding.cut = Cut{value.type.shape, own}; });
    value.type.shape = {own.room()};
  }

  Graph graph_;
  Builder build_;
  const DividedUpdates& settings_;
  const std::vector<TrainedWeight> trained_;
  std::unordered_map<ValueId, Gradient> gradients_;
  std::deque<Arriving> arriving_;
  std::unordered_map<ValueId, ValueId> sums_;          // of a gradient's panels so far
  std::unordered_map<ValueId, Gathering> norms_;       // by the squared norm that is made of them
  std::deque<std::pair<ValueId, Gathering>> weights_;  // updated, by what they were to become
  Node loss_sum_;                                      // to come; without an op: this graph has none
  Replacements replaced_;
};

}  // namespace

RankParts parts_of_weight(int64_t elements, int64_t ranks) {
  const RankParts parts{elements, kNormBlock, ranks};
  return parts.blocks() >= kLeastBlocksOfPart * ranks ? parts : RankParts{elements, kNormBlock, 1};
}

Graph divide_updates(Graph step, const DividedUpdates& settings) {
  ensure(settings.place.ranks > 1 && settings.stage >= 0 && settings.stage <= 2, "stage {} of {} ranks", settings.stage,
         settings.place.ranks);
  return UpdateDivision(std::move(step), settings).run();
}

}  // namespace headroom
