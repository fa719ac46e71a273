#include "headroom/passes/fetch_panels.h"

#include <algorithm>

#include "headroom/base/page.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/join_columns.h"
#include "headroom/ops/matmul.h"

namespace headroom {
namespace {

// Rows of a panel are a multiple: whole panels of grouped formats, and whole pages of nearly all shapes.
constexpr int64_t kRowUnit = 1024;

int64_t bytes_of_rows(const Type& type, int64_t rows) { return Type{type.dtype, {rows, type.shape[1]}}.bytes(); }

// Rows of each panel; 0: the weight stays whole.
int64_t panel_rows(const Type& type, int64_t panel_bytes) {
  const int64_t unit_bytes = bytes_of_rows(type, kRowUnit);
  if (unit_bytes % kPageBytes != 0) return 0;
  const int64_t units = (type.shape[0] + kRowUnit - 1) / kRowUnit;
  const int64_t least = (units + static_cast<int64_t>(kMostColumnParts) - 1) / static_cast<int64_t>(kMostColumnParts);
  return std::max(panel_bytes / unit_bytes, least) * kRowUnit;
}

bool multiplies_rows_of(const Graph& graph, const Node& node, const std::unordered_set<std::string>& names) {
  if (node.op->name() != "matmul" || node.inputs.size() != 2) return false;
  const Value& weight = graph.value(node.inputs[1]);
  return weight.role == Role::weight && names.contains(weight.name) && node.attributes.integer("transpose_a") == 0 &&
         node.attributes.integer("transpose_b") == 1;
}

}  // namespace

Graph fetch_panels(Graph graph, const std::unordered_set<std::string>& names, int64_t panel_bytes) {
  Builder build(graph);
  Replacements joined;
  rebuild_nodes(build, [&](Node&& node) {
    joined.apply(node.inputs);
    if (!multiplies_rows_of(graph, node, names)) return graph.nodes.push_back(std::move(node));
    const ValueId weight = node.inputs[1];
    const Type type = graph.value(weight).type;
    const int64_t rows = panel_rows(type, panel_bytes);
    if (rows == 0 || rows >= type.shape[0]) return graph.nodes.push_back(std::move(node));
    graph.value(weight).tier = Tier::model;
    std::vector<ValueId> parts;
    for (int64_t first = 0; first < type.shape[0]; first += rows) {
      const Attributes range = {{"first_row", first}, {"rows", std::min(rows, type.shape[0] - first)}};
      const ValueId buffer = build.value("fetch", {weight}, range, Role::weight);
      const ValueId panel = build.value("fetched", {buffer}, {}, Role::weight);
      parts.push_back(linear(build, node.inputs[0], panel));
    }
    const ValueId all = join_columns(build, parts);
    std::swap(graph.value(all).name, graph.value(node.outputs[0]).name);
    joined.put(node.outputs[0], all);
  });
  joined.apply(graph.results);
  return graph;
}

}  // namespace headroom
