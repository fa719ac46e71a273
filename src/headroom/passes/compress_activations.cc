#include "headroom/passes/compress_activations.h"

#include <algorithm>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/builder.h"
#include "headroom/ops/compress.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

struct Kept {
  ValueId value = kNoValue;
  int32_t last = -1;   // node: the last of the forward that makes or reads it
  int32_t first = -1;  // node: the first of the backward that reads it
};

bool is_forward(const Graph& graph, int32_t node) {
  return graph.nodes[static_cast<size_t>(node)].phase == Phase::forward;
}

std::vector<Kept> kept_values(const Graph& graph) {
  const ValueId tokens = graph.find("tokens");
  if (tokens == kNoValue) return {};
  const int64_t rows = graph.value(tokens).type.shape[0];
  const Uses uses(graph);
  std::vector<Kept> kept;
  for (int32_t index = 0; index < static_cast<int32_t>(graph.nodes.size()); ++index) {
    const Node& node = graph.nodes[static_cast<size_t>(index)];
    if (!is_forward(graph, index)) continue;
    const ValueId id = node.outputs[0];
    const Value& value = graph.value(id);
    if (value.role != Role::activation || value.type.dtype != DType::f32 || value.type.shape.rank() != 2) continue;
    if (value.type.shape[0] != rows) continue;
    Kept one{id, index, -1};
    for (const int32_t reader : uses.readers[static_cast<size_t>(id)]) {
      if (is_forward(graph, reader)) {
        one.last = reader;
      } else if (one.first < 0) {
        one.first = reader;
      }
    }
    if (one.first < one.last) continue;
    if (graph.nodes[static_cast<size_t>(one.first)].scope.starts_with("layers.")) kept.push_back(one);
  }
  return kept;
}

}  // namespace

Graph compress_activations(Graph graph, int64_t bits) {
  const std::vector<Kept> kept = kept_values(graph);
  if (kept.empty()) return graph;
  const ValueId rows = graph.find("loss_range");
  ensure(rows != kNoValue, "the graph {} has no input loss_range", graph.name);
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  Builder build(graph);
  const ValueId key = bits == 16 ? kNoValue : random_key(build);
  std::vector<ValueId> restored(graph.values.size(), kNoValue);
  std::vector<std::vector<ValueId>> compressed(graph.values.size());
  for (int32_t index = 0; index < static_cast<int32_t>(nodes.size()); ++index) {
    Node& node = nodes[static_cast<size_t>(index)];
    build.set_scope(node.scope);
    build.set_phase(Phase::backward);
    for (const Kept& one : kept) {
      if (one.first != index) continue;
      const int64_t features = graph.value(one.value).type.shape[1];
      restored[static_cast<size_t>(one.value)] = build.value("decompress", compressed[static_cast<size_t>(one.value)],
                                                             {{"bits", bits}, {"features", features}});
    }
    if (node.phase != Phase::forward) {
      for (ValueId& input : node.inputs) {
        const size_t place = static_cast<size_t>(input);
        if (place < restored.size() && restored[place] != kNoValue) input = restored[place];
      }
    }
    const std::string scope = node.scope;
    graph.nodes.push_back(std::move(node));
    build.set_scope(scope);
    build.set_phase(Phase::forward);
    for (const Kept& one : kept) {
      if (one.last != index) continue;
      std::vector<ValueId> operands = {one.value};
      Attributes attributes = {{"bits", bits}};
      if (bits != 16) {
        operands.insert(operands.end(), {key, rows});
        attributes.set("site", random_site(graph.value(one.value).name));
      }
      compressed[static_cast<size_t>(one.value)] = build.node("compress", operands, attributes);
    }
  }
  return graph;
}

CompressedBytes compressed_bytes(const Graph& graph) {
  CompressedBytes bytes;
  for (const Node& node : graph.nodes) {
    if (node.op->name() != "compress") continue;
    bytes.f32 += graph.value(node.inputs[0]).bytes();
    for (const ValueId output : node.outputs) bytes.compressed += graph.value(output).bytes();
  }
  return bytes;
}

}  // namespace headroom
