#include "headroom/passes/offload_visits.h"

#include <algorithm>

#include "headroom/graph/op.h"

namespace headroom {
namespace {

// Nodes between two touches that are not worth a way to the disk and back.
constexpr int32_t kNear = 4;

bool belong_together(const Graph& graph, int32_t earlier, int32_t later) {
  if (later - earlier <= kNear) return true;
  const Node& a = graph.nodes[static_cast<size_t>(earlier)];
  const Node& b = graph.nodes[static_cast<size_t>(later)];
  return a.phase == b.phase && a.phase != Phase::update && !a.segment.name.empty() && a.segment == b.segment;
}

}  // namespace

bool has_panels_of(const Graph& graph, const Node& node, ValueId operand) {
  return node.op->panel_unit() > 0 && !node.attributes.has("first") &&
         graph.value(operand).type.shape.elements() == graph.value(node.outputs.front()).type.shape.elements();
}

std::vector<Storage> find_storages(const Graph& graph) {
  const std::vector<ValueId> roots = storage_roots(graph);
  std::vector<Storage> storages(graph.values.size());
  std::vector<int32_t> exchanges(graph.values.size(), 0);  // with other ranks that move the root's bytes now
  for (const ValueId id : graph.inputs) storages[static_cast<size_t>(id)].is_input = true;
  for (const ValueId id : graph.results) {
    storages[static_cast<size_t>(roots[static_cast<size_t>(id)])].is_result = true;
  }
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    const auto at = static_cast<int32_t>(index);
    const auto touch = [&](ValueId id) {
      const ValueId root = roots[static_cast<size_t>(id)];
      Storage& storage = storages[static_cast<size_t>(root)];
      storage.root = root;
      const bool by_panels = has_panels_of(graph, node, id);
      const bool is_moving = exchanges[static_cast<size_t>(root)] > 0;
      if (!storage.visits.empty() && (is_moving || belong_together(graph, storage.visits.back().last, at))) {
        Visit& visit = storage.visits.back();
        visit.by_panels &= visit.first == at && by_panels;
        visit.last = at;
      } else {
        storage.visits.push_back({at, at, by_panels});
      }
    };
    for (const ValueId id : node.inputs) touch(id);
    for (const ValueId id : node.outputs) touch(id);
    if (node.op->lane() != Lane::network) continue;
    const auto count = [&](ValueId id, int32_t change) {
      exchanges[static_cast<size_t>(roots[static_cast<size_t>(id)])] += change;
    };
    const bool begins = node.op->course() == Course::begin;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.op->reads_input(node, i)) count(node.inputs[i], begins ? 1 : -1);
    }
    if (!begins) continue;
    for (const ValueId id : node.outputs) count(id, 1);
  }
  std::erase_if(storages, [](const Storage& storage) { return storage.root == kNoValue; });
  return storages;
}

}  // namespace headroom
