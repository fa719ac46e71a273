#include "headroom/graph/verify.h"

#include <string>
#include <unordered_set>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/operands.h"

namespace headroom {
namespace {

void check_names(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (const Value& value : graph.values) {
    ensure(names.insert(value.name).second, "graph {}: two values are named '{}'", graph.name, value.name);
  }
}

void check_id(const Graph& graph, ValueId id, std::string_view what) {
  ensure(id >= 0 && static_cast<size_t>(id) < graph.values.size(), "graph {}: {} mentions no value ({})", graph.name,
         what, id);
}

// Every value is defined once, before use.
void check_definitions(const Graph& graph) {
  std::vector<bool> made(graph.values.size(), false);
  for (const ValueId id : graph.inputs) {
    check_id(graph, id, "an input");
    ensure(!made[static_cast<size_t>(id)], "graph {}: input '{}' is declared twice", graph.name, graph.value(id).name);
    made[static_cast<size_t>(id)] = true;
  }
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    ensure(node.op != nullptr, "graph {}: node {} has no op", graph.name, index);
    for (const ValueId id : node.inputs) {
      check_id(graph, id, node.op->name());
      ensure(made[static_cast<size_t>(id)], "graph {}: node {} ({}) reads '{}' before it is made", graph.name, index,
             node.op->name(), graph.value(id).name);
    }
    for (const ValueId id : node.outputs) {
      check_id(graph, id, node.op->name());
      ensure(!made[static_cast<size_t>(id)], "graph {}: '{}' is made twice", graph.name, graph.value(id).name);
      made[static_cast<size_t>(id)] = true;
    }
  }
  for (const ValueId id : graph.results) {
    check_id(graph, id, "a result");
    ensure(made[static_cast<size_t>(id)], "graph {}: the result '{}' is never made", graph.name, graph.value(id).name);
  }
}

void check_types(const Graph& graph) {
  OperandTypes types;
  for (const Node& node : graph.nodes) {
    const std::vector<Type> outputs = node.op->output_types(types.of(graph, node).inputs, node.attributes);
    ensure(outputs.size() == node.outputs.size(), "graph {}: {} makes {} values, the node has {}", graph.name,
           node.op->name(), outputs.size(), node.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Value& value = graph.value(node.outputs[i]);
      ensure(value.type == outputs[i], "graph {}: '{}' is {}, but {} makes {}", graph.name, value.name,
             to_string(value.type), node.op->name(), to_string(outputs[i]));
    }
  }
}

// Only transfers touch what lives in the tier behind their lane: loads read it, stores make it. What a node begins to
// write has no reader but the wait for it.
void check_tiers(const Graph& graph) {
  std::vector<bool> arriving(graph.values.size(), false);
  const auto expect = [&](const Node& node, ValueId id, Tier tier) {
    ensure(graph.value(id).tier == tier, "graph {}: {} cannot take '{}' where it lives", graph.name, node.op->name(),
           graph.value(id).name);
  };
  for (const Node& node : graph.nodes) {
    const bool begins = node.op->course() == Course::begin;
    const bool waits = node.op->course() == Course::wait;
    const bool reads = node.op->transfer() == Transfer::load && begins;
    const bool writes = node.op->transfer() == Transfer::store;
    const Tier behind = node.op->away();
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool is_place = writes && i >= node.outputs.size();
      const bool is_here =
          static_cast<int>(i) == node.op->rows_input() || static_cast<int>(i) == node.op->place_input();
      expect(node, node.inputs[i], (reads || is_place) && !is_here ? behind : Tier::device);
      ensure(!arriving[static_cast<size_t>(node.inputs[i])] || waits, "graph {}: {} reads '{}' before it is there",
             graph.name, node.op->name(), graph.value(node.inputs[i]).name);
    }
    for (const ValueId id : node.outputs) {
      expect(node, id, writes ? behind : Tier::device);
      arriving[static_cast<size_t>(id)] = begins && graph.value(id).tier == Tier::device;
    }
  }
}

// Walks the nodes with the value that each storage holds at that moment: a value may be read only while it is held.
void check_storage(const Graph& graph) {
  const std::vector<ValueId> roots = storage_roots(graph);
  std::vector<ValueId> held(graph.values.size(), kNoValue);
  for (const ValueId id : graph.inputs) held[static_cast<size_t>(id)] = id;
  const auto root = [&](ValueId id) { return static_cast<size_t>(roots[static_cast<size_t>(id)]); };
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      ensure(held[root(id)] == id, "graph {}: {} reads '{}' after '{}' took its storage", graph.name, node.op->name(),
             graph.value(id).name, graph.value(held[root(id)]).name);
    }
    for (const ValueId id : node.outputs) held[root(id)] = id;
  }
  for (const ValueId id : graph.results) {
    ensure(held[root(id)] == id, "graph {}: the result '{}' is overwritten by '{}'", graph.name, graph.value(id).name,
           graph.value(held[root(id)]).name);
  }
  std::vector<bool> carried(graph.values.size(), false);
  for (const Carry& carry : graph.carries) {
    check_id(graph, carry.input, "a carry");
    check_id(graph, carry.next, "a carry");
    const std::string& name = graph.value(carry.input).name;
    ensure(!carried[static_cast<size_t>(carry.input)], "graph {}: '{}' is carried twice", graph.name, name);
    carried[static_cast<size_t>(carry.input)] = true;
    ensure(
        roots[static_cast<size_t>(carry.next)] == carry.input && held[static_cast<size_t>(carry.input)] == carry.next,
        "graph {}: '{}' does not end up in the storage of '{}'", graph.name, graph.value(carry.next).name, name);
  }
  for (const ValueId id : graph.inputs) {
    ensure(carried[static_cast<size_t>(id)] || held[static_cast<size_t>(id)] == id,
           "graph {}: the input '{}' is overwritten but not carried", graph.name, graph.value(id).name);
  }
}

}  // namespace

void verify(const Graph& graph) {
  check_names(graph);
  check_definitions(graph);
  check_types(graph);
  check_tiers(graph);
  check_storage(graph);
}

}  // namespace headroom
