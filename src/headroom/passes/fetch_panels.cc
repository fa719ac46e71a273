#include "headroom/passes/fetch_panels.h"

#include <algorithm>

#include "headroom/base/page.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/join_columns.h"
#include "headroom/ops/linear_cross_entropy.h"
#include "headroom/ops/matmul.h"

namespace headroom {
namespace {

// Rows of a panel are a multiple: whole panels of grouped formats, and whole pages of nearly all shapes.
constexpr int64_t kRowUnit = 1024;

struct Panel {
  int64_t first_row;
  int64_t rows;
};

int64_t bytes_of_rows(const Type& type, int64_t rows) { return Type{type.dtype, {rows, type.shape[1]}}.bytes(); }

bool is_product(const Node& node) {
  return node.op->name() == "matmul" && node.inputs.size() == 2 && node.attributes.integer("transpose_a") == 0 &&
         node.attributes.integer("transpose_b") == 1;
}

bool is_loss(const Node& node) { return node.op->name() == "linear_cross_entropy"; }

// Those of about panel_bytes; none where the weight stays whole.
std::vector<Panel> panels_of(const Type& type, bool of_loss, int64_t panel_bytes) {
  const int64_t unit = of_loss ? kLossPanelRows : kRowUnit;
  const int64_t unit_bytes = bytes_of_rows(type, unit);
  if (unit_bytes % kPageBytes != 0) return {};
  const int64_t units = (type.shape[0] + unit - 1) / unit;
  const auto most = static_cast<int64_t>(kMostColumnParts);
  const int64_t least = of_loss ? 1 : (units + most - 1) / most;
  const int64_t rows = std::max(panel_bytes / unit_bytes, least) * unit;
  if (rows >= type.shape[0]) return {};
  std::vector<Panel> panels;
  for (int64_t first = 0; first < type.shape[0]; first += rows) {
    panels.push_back({first, std::min(rows, type.shape[0] - first)});
  }
  return panels;
}

// In memory, by two nodes.
ValueId bring(Builder& build, ValueId weight, const Panel& panel) {
  const Attributes range = {{"first_row", panel.first_row}, {"rows", panel.rows}};
  const ValueId buffer = build.value("fetch", {weight}, range, Role::weight);
  return build.value("fetched", {buffer}, {}, Role::weight);
}

ValueId multiply(Builder& build, const Node& node, const std::vector<Panel>& panels) {
  std::vector<ValueId> parts;
  for (const Panel& panel : panels) parts.push_back(linear(build, node.inputs[0], bring(build, node.inputs[1], panel)));
  return join_columns(build, parts);
}

LossResult find_losses(Builder& build, const Node& node, const std::vector<Panel>& panels, int64_t vocabulary) {
  ValueId left = kNoValue;
  for (const Panel& panel : panels) {
    const ValueId weight = bring(build, node.inputs[1], panel);
    left = linear_cross_entropy_panel(build, node.inputs[0], weight, node.inputs[2], panel.first_row, left);
  }
  return linear_cross_entropy_of_panels(build, left, node.inputs[2], vocabulary);
}

}  // namespace

Graph fetch_panels(Graph graph, const std::unordered_set<std::string>& names, int64_t panel_bytes) {
  Builder build(graph);
  Replacements made;
  const auto replace = [&](ValueId old, ValueId now) {
    std::swap(graph.value(now).name, graph.value(old).name);
    made.put(old, now);
  };
  rebuild_nodes(build, [&](Node&& node) {
    made.apply(node.inputs);
    const bool of_loss = is_loss(node);
    std::vector<Panel> panels;
    if (of_loss || is_product(node)) {
      const Value& weight = graph.value(node.inputs[1]);
      if (weight.role == Role::weight && names.contains(weight.name)) {
        panels = panels_of(weight.type, of_loss, panel_bytes);
      }
    }
    if (panels.empty()) return graph.nodes.push_back(std::move(node));
    graph.value(node.inputs[1]).tier = Tier::model;
    if (!of_loss) return replace(node.outputs[0], multiply(build, node, panels));
    const LossResult result = find_losses(build, node, panels, graph.value(node.inputs[1]).type.shape[0]);
    replace(node.outputs[0], result.loss);
    replace(node.outputs[1], result.lse);
  });
  made.apply(graph.results);
  return graph;
}

}  // namespace headroom
