#include "headroom/graph/graph.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/graph/operands.h"
#include "headroom/graph/rewrite.h"

namespace headroom {
namespace {

constexpr std::array<std::string_view, kRoles> kRoleNames = {"input",      "weight",   "gradient", "optimizer_state",
                                                             "activation", "kv_cache", "scratch",  "staging"};
constexpr std::array<std::string_view, 3> kPhaseNames = {"forward", "backward", "update"};
constexpr std::array<std::string_view, kTiers> kTierNames = {"device", "host", "disk", "model"};

template <class Enum, size_t size>
Enum parse_enum(const std::array<std::string_view, size>& names, std::string_view name, std::string_view what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw InvalidInput("graph text: unknown {} '{}'", what, name);
  return static_cast<Enum>(found - names.begin());
}

// The memory of elements that are gone, where they were a good part of `before`.
template <class Elements>
void give_back(Elements& elements, size_t before) {
  if (4 * elements.size() < 3 * before) elements.shrink_to_fit();
}

}  // namespace

std::string_view name_of(Role role) { return kRoleNames[static_cast<size_t>(role)]; }
Role parse_role(std::string_view name) { return parse_enum<Role>(kRoleNames, name, "role"); }
std::string_view name_of(Tier tier) { return kTierNames[static_cast<size_t>(tier)]; }
std::string_view name_of(Phase phase) { return kPhaseNames[static_cast<size_t>(phase)]; }
Phase parse_phase(std::string_view name) { return parse_enum<Phase>(kPhaseNames, name, "phase"); }

ValueId Graph::find(std::string_view wanted) const {
  for (size_t id = 0; id < values.size(); ++id) {
    if (values[id].name == wanted) return static_cast<ValueId>(id);
  }
  return kNoValue;
}

Uses::Uses(const Graph& graph) : producer(graph.values.size(), -1), ends_(graph.values.size() + 1, 0) {
  const auto for_each_read = [&](auto visit) {
    for (size_t index = 0; index < graph.nodes.size(); ++index) {
      const std::vector<ValueId>& inputs = graph.nodes[index].inputs;
      for (auto input = inputs.begin(); input != inputs.end(); ++input) {
        if (std::find(inputs.begin(), input, *input) == input) visit(static_cast<size_t>(*input), index);
      }
    }
  };
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    for (const ValueId id : graph.nodes[index].outputs) producer[static_cast<size_t>(id)] = static_cast<int32_t>(index);
  }
  for_each_read([&](size_t value, size_t) { ++ends_[value + 1]; });
  std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
  readers_.resize(ends_.back());
  std::vector<size_t> next(ends_.begin(), ends_.end() - 1);
  for_each_read([&](size_t value, size_t index) { readers_[next[value]++] = static_cast<int32_t>(index); });
}

std::vector<ValueId> storage_roots(const Graph& graph) {
  std::vector<ValueId> roots(graph.values.size());
  for (size_t id = 0; id < roots.size(); ++id) roots[id] = static_cast<ValueId>(id);
  OperandTypes types;
  for (const Node& node : graph.nodes) {
    for (const StoragePair& pair : node.op->in_place(types.of(graph, node))) {
      roots[static_cast<size_t>(node.outputs[static_cast<size_t>(pair.output)])] =
          roots[static_cast<size_t>(node.inputs[static_cast<size_t>(pair.input)])];
    }
  }
  return roots;
}

Graph without_dead_nodes(Graph graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId result : graph.results) needed[static_cast<size_t>(result)] = true;
  for (const Carry& carry : graph.carries) needed[static_cast<size_t>(carry.next)] = true;
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t index = graph.nodes.size(); index-- > 0;) {
    const Node& node = graph.nodes[index];
    dead[index] = std::none_of(node.outputs.begin(), node.outputs.end(),
                               [&](ValueId id) { return needed[static_cast<size_t>(id)]; });
    if (dead[index]) continue;
    for (const ValueId input : node.inputs) needed[static_cast<size_t>(input)] = true;
    for (const ValueId output : node.outputs) needed[static_cast<size_t>(output)] = true;
  }
  erase_nodes(graph, dead);
  give_back(graph.nodes, dead.size());

  std::vector<ValueId> renumbered(graph.values.size(), kNoValue);
  size_t kept = 0;
  for (size_t id = 0; id < graph.values.size(); ++id) {
    if (!needed[id]) continue;
    renumbered[id] = static_cast<ValueId>(kept);
    if (kept != id) graph.values[kept] = std::move(graph.values[id]);
    ++kept;
  }
  graph.values.resize(kept);
  give_back(graph.values, renumbered.size());
  const auto renumber = [&](ValueId& id) { id = renumbered[static_cast<size_t>(id)]; };
  std::erase_if(graph.inputs, [&](ValueId id) { return renumbered[static_cast<size_t>(id)] == kNoValue; });
  std::for_each(graph.inputs.begin(), graph.inputs.end(), renumber);
  std::for_each(graph.results.begin(), graph.results.end(), renumber);
  for (Carry& carry : graph.carries) {
    renumber(carry.next);
    ensure(renumbered[static_cast<size_t>(carry.input)] != kNoValue, "a carried input is read by nothing");
    renumber(carry.input);
  }
  for (Node& node : graph.nodes) {
    std::for_each(node.inputs.begin(), node.inputs.end(), renumber);
    std::for_each(node.outputs.begin(), node.outputs.end(), renumber);
  }
  return graph;
}

}  // namespace headroom
