#include "headroom/passes/compress_exchanges.h"

#include <unordered_map>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/graph/rank_attributes.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/compress_blocks.h"
#include "headroom/ops/gather.h"
#include "headroom/ops/scatter.h"

namespace headroom {
namespace {

// Of the bytes of a value whose parts are whole units.
RankParts parts_of_bytes(const RankParts& parts, int64_t bits) {
  ensure(parts.unit == kCompressedUnit, "parts of {} elements are no units", parts.unit);
  const int64_t unit = compressed_unit_bytes(bits);
  return {parts.blocks() * unit, unit, parts.ranks};
}

class WeightCompression {
 public:
  explicit WeightCompression(Graph graph) : graph_(std::move(graph)), build_(graph_) {}

  Graph run() {
    rebuild_nodes(build_, [&](Node&& node) {
      if (is_gather_of_weight(node)) return begin(node);
      if (node.op->name() == "gathered" && arriving_.contains(node.inputs[0])) return finish(node);
      whole_.apply(node.inputs);
      graph_.nodes.push_back(std::move(node));
    });
    whole_.apply(graph_.results);
    return without_dead_nodes(std::move(graph_));
  }

 private:
  bool is_gather_of_weight(const Node& node) const {
    if (node.op->name() != "gather" || node.inputs.size() != 1) return false;
    const Value& part = graph_.value(node.inputs[0]);
    return part.role == Role::weight && part.type.dtype == DType::f32;
  }

  void begin(const Node& node) {
    const Shape& whole = build_.type(node.outputs[0]).shape;
    const RankParts bytes = parts_of_bytes(rank_parts_of(node.attributes, whole.elements()), kWeightBitsOnWire);
    const ValueId own = compress_blocks(build_, node.inputs[0], kWeightBitsOnWire, Role::staging);
    arriving_[node.outputs[0]] = begin_gather(build_, own, {bytes.elements}, bytes, Role::staging);
  }

  void finish(const Node& node) {
    const ValueId bytes = wait_for(build_, arriving_.at(node.inputs[0]));
    const Shape& whole = build_.type(node.outputs[0]).shape;
    whole_.put(node.outputs[0], decompress_blocks(build_, bytes, kWeightBitsOnWire, whole, Role::staging));
  }

  Graph graph_;
  Builder build_;
  std::unordered_map<ValueId, Gathering> arriving_;  // by what would have arrived
  Replacements whole_;
};

class GradientCompression {
 public:
  GradientCompression(Graph graph, const RankPlace& place) : graph_(std::move(graph)), build_(graph_), place_(place) {}

  Graph run() {
    rebuild_nodes(build_, [&](Node&& node) {
      if (node.op->name() == "scatter") return begin(node);
      if (node.op->name() == "scattered") return finish(node);
      rows_.apply(node.inputs);
      graph_.nodes.push_back(std::move(node));
    });
    return without_dead_nodes(std::move(graph_));
  }

 private:
  // One compression for all panels of a gradient.
  ValueId compressed(ValueId gradient) {
    const auto found = compressed_.find(gradient);
    if (found != compressed_.end()) return found->second;
    const RankParts units{build_.type(gradient).shape.elements(), kCompressedUnit, 1};
    const std::string name = graph_.value(gradient).name;
    return compressed_[gradient] = compress_blocks_at_random(build_, gradient, kGradientBitsOnWire, name,
                                                             place_.rank * units.room(), Role::staging);
  }

  void begin(const Node& node) {
    const ValueId gradient = node.inputs[0];
    const int64_t elements = build_.type(gradient).shape.elements();
    const RankParts bytes = parts_of_bytes(rank_parts_of(node.attributes, elements), kGradientBitsOnWire);
    const auto bytes_of = [&](std::string_view attribute) {
      const int64_t panel = node.attributes.integer(attribute);
      ensure(panel % kCompressedUnit == 0, "a panel of {} elements is no units", panel);
      return panel / kCompressedUnit * bytes.unit;
    };
    arriving_[node.outputs[0]] =
        begin_scatter(build_, compressed(gradient), bytes, bytes_of("first"), bytes_of("elements"));
  }

  void finish(const Node& node) {
    const ValueId bytes = wait_for(build_, arriving_.at(node.inputs[0]));
    const Shape& rows = build_.type(node.outputs[0]).shape;
    rows_.put(node.outputs[0], decompress_blocks(build_, bytes, kGradientBitsOnWire, rows, Role::gradient));
  }

  Graph graph_;
  Builder build_;
  const RankPlace place_;
  std::unordered_map<ValueId, ValueId> compressed_;
  std::unordered_map<ValueId, Scattering> arriving_;  // by what would have arrived
  Replacements rows_;
};

}  // namespace

Graph compress_gathered_weights(Graph graph) { return WeightCompression(std::move(graph)).run(); }

Graph compress_scattered_gradients(Graph graph, const RankPlace& place) {
  return GradientCompression(std::move(graph), place).run();
}

}  // namespace headroom
