#include "headroom/passes/watch_numerics.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "headroom/graph/rewrite.h"
#include "headroom/ops/count_numerics.h"

namespace headroom {
namespace {

bool is_watched(const Value& value) {
  return (value.role == Role::activation || value.role == Role::gradient) && value.type.shape.rank() == 2 &&
         (value.type.dtype == DType::f32 || value.type.dtype == DType::bf16 || value.type.dtype == DType::f16);
}

}  // namespace

std::string numerics_name(std::string_view segment, Phase phase) {
  return fmt::format("numerics.{}.{}", segment, name_of(phase));
}

Graph watch_numerics(Graph graph) {
  Builder build(graph);
  std::map<std::string, ValueId> counts;  // so far, by name
  rebuild_nodes(build, [&](Node&& node) {
    graph.nodes.push_back(node);
    if (node.phase == Phase::update) return;
    for (const ValueId output : node.outputs) {
      if (!is_watched(graph.value(output))) continue;
      const auto [entry, is_first] = counts.try_emplace(numerics_name(node.segment.name, node.phase), kNoValue);
      entry->second = count_numerics(build, output, entry->second);
    }
  });
  for (const auto& [name, value] : counts) {
    graph.value(value).name = name;
    graph.results.push_back(value);
  }
  return graph;
}

}  // namespace headroom
