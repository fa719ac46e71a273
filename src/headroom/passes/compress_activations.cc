#include "headroom/passes/compress_activations.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/compress.h"

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
    for (const int32_t reader : uses.readers(id)) {
      if (is_forward(graph, reader)) {
        one.last = reader;
      } else if (one.first < 0) {
        one.first = reader;
      }
    }
    if (one.first < one.last) continue;
    if (graph.nodes[static_cast<size_t>(one.first)].segment.is_layer()) kept.push_back(one);
  }
  return kept;
}

}  // namespace

Graph compress_activations(Graph graph, int64_t bits) {
  const std::vector<Kept> kept = kept_values(graph);
  if (kept.empty()) return graph;
  const ValueId rows = graph.find("loss_range");
  ensure(rows != kNoValue, "the graph {} has no input loss_range", graph.name);
  Builder build(graph);
  Replacements restored;
  std::unordered_map<ValueId, std::vector<ValueId>> compressed;
  int32_t index = 0;
  rebuild_nodes(build, [&](Node&& node) {
    build.set_phase(Phase::backward);
    for (const Kept& one : kept) {
      if (one.first != index) continue;
      const int64_t features = graph.value(one.value).type.shape[1];
      restored.put(one.value, decompress(build, compressed.at(one.value), bits, features));
    }
    if (node.phase != Phase::forward) restored.apply(node.inputs);
    graph.nodes.push_back(std::move(node));
    build.set_phase(Phase::forward);
    for (const Kept& one : kept) {
      if (one.last == index) compressed[one.value] = compress(build, one.value, bits, rows);
    }
    ++index;
  });
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
