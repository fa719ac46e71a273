#include "headroom/quantize/calibration_graphs.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/graph/rewrite.h"
#include "headroom/graph/verify.h"
#include "headroom/ops/add.h"
#include "headroom/ops/encode.h"
#include "headroom/ops/gptq.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/scale.h"

namespace headroom {
namespace {

constexpr std::string_view kHidden = "hidden";

Graph forward_of(const Model& model, const RowShape& row) {
  Graph graph;
  Builder build(graph);
  const StepInputs inputs =
      declare_step_inputs(build, model, {.tokens = row.tokens, .sequences = row.sequences, .positions = row.tokens});
  build.result(model.forward(build, inputs, model.stored_formats()));
  return graph;
}

// The nodes of `segment` alone. What they read of others becomes the input "hidden", what others read of them the
// result "next_hidden"; there is one of each.
Graph part_of(const Graph& whole, const Segment& segment) {
  Graph graph = whole;
  const auto is_inside = [&](int32_t node) {
    return node >= 0 && whole.nodes[static_cast<size_t>(node)].segment == segment;
  };
  const Uses uses(whole);
  graph.results.clear();
  for (size_t id = 0; id < whole.values.size(); ++id) {
    const bool is_made = uses.producer[id] >= 0;
    const bool is_made_inside = is_made && is_inside(uses.producer[id]);
    const auto readers = uses.readers(static_cast<ValueId>(id));
    const bool is_read_inside = std::any_of(readers.begin(), readers.end(), is_inside);
    const bool is_read_outside = !std::all_of(readers.begin(), readers.end(), is_inside);
    if (is_made && !is_made_inside && is_read_inside) {
      ensure(graph.find(kHidden) == kNoValue, "{}: reads two values of other segments", segment.name);
      graph.values[id].name = kHidden;
      graph.inputs.push_back(static_cast<ValueId>(id));
    }
    if (is_made_inside && is_read_outside) {
      ensure(graph.results.empty(), "{}: other segments read two values of it", segment.name);
      graph.values[id].name = "next_hidden";
      graph.results.push_back(static_cast<ValueId>(id));
    }
  }
  std::vector<bool> outside;
  for (const Node& node : graph.nodes) outside.push_back(node.segment != segment);
  erase_nodes(graph, outside);
  return without_dead_nodes(std::move(graph));
}

// `graph` and beside it what `original` computes, of the same inputs but for the hidden state, whose names are the
// original's then, as those of all it makes. Returns what stands for each value of `original`.
std::vector<ValueId> add_original(Graph& graph, const Graph& original) {
  std::vector<ValueId> now;
  for (size_t id = 0; id < original.values.size(); ++id) {
    const Value& value = original.values[id];
    const auto input = std::find(original.inputs.begin(), original.inputs.end(), static_cast<ValueId>(id));
    const bool is_input = input != original.inputs.end();
    const ValueId same = is_input && value.name != kHidden ? graph.find(value.name) : kNoValue;
    now.push_back(same != kNoValue ? same : static_cast<ValueId>(graph.values.size()));
    if (same != kNoValue) continue;
    graph.values.push_back(value);
    if (is_input) graph.inputs.push_back(now.back());
    if (!is_input || value.name == kHidden) graph.values.back().name = "original_" + value.name;
  }
  for (Node node : original.nodes) {
    for (ValueId& id : node.inputs) id = now[static_cast<size_t>(id)];
    for (ValueId& id : node.outputs) id = now[static_cast<size_t>(id)];
    graph.nodes.push_back(std::move(node));
  }
  for (const ValueId id : original.results) graph.results.push_back(now[static_cast<size_t>(id)]);
  return now;
}

// The place of a weight in its new format, as a graph input.
ValueId quantised_input(Builder& build, const std::string& weight, const Type& type) {
  auto binding = std::make_shared<Binding>(bind_whole(weight, type.shape));
  binding->source = Source::reference;
  binding->is_trained = false;
  return build.input(quantised_name(weight), type, Role::weight, std::move(binding));
}

// `weights` are read in their new formats.
void read_quantised(Graph& graph, const NewFormats& formats, const std::vector<std::string>& weights) {
  Builder build(graph);
  Replacements replacements;
  for (const std::string& name : weights) {
    const ValueId weight = graph.find(name);
    replacements.put(weight, quantised_input(build, name, {formats.at(name), build.type(weight).shape}));
  }
  for (Node& node : graph.nodes) replacements.apply(node.inputs);
}

// The product that reads the weight.
const Node& product_with(const Graph& graph, const std::string& weight) {
  const ValueId id = graph.find(weight);
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(), [id](const Node& node) {
    return node.op->name() == "matmul" && node.inputs[1] == id;
  });
  ensure(found != graph.nodes.end(), "no product reads {}", weight);
  return *found;
}

Graph finished(Graph graph, std::string name) {
  graph = without_dead_nodes(std::move(graph));
  graph.name = std::move(name);
  verify(graph);
  return graph;
}

}  // namespace

CalibrationGraphs::CalibrationGraphs(const Model& model, NewFormats formats, const RowShape& row,
                                     const SolveSettings& settings)
    : formats_(std::move(formats)), settings_(settings), forward_(forward_of(model, row)) {
  find_groups();
}

void CalibrationGraphs::find_groups() {
  ValueId last_input = kNoValue;
  for (const Node& node : forward_.nodes) {
    if (node.op->name() != "matmul" || !node.segment.is_layer()) continue;
    const std::string& weight = forward_.value(node.inputs[1]).name;
    if (!formats_.contains(weight)) continue;
    if (node.inputs[0] != last_input) groups_.push_back({node.segment.layer, {}});
    last_input = node.inputs[0];
    groups_.back().weights.push_back(weight);
  }
}

Graph CalibrationGraphs::layer(int64_t number) const { return part_of(forward_, layer_segment(number)); }

Graph CalibrationGraphs::embed() const {
  const Graph original = part_of(forward_, {"embedding"});
  Graph graph = original;
  Builder build(graph);
  Replacements replacements;
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (const auto& [name, format] : formats_) {
    const ValueId table = graph.find(name);
    if (table != kNoValue) replacements.put(table, encode(build, table, format));
  }
  for (Node& node : nodes) {
    replacements.apply(node.inputs);
    graph.nodes.push_back(std::move(node));
  }
  if (settings_.corrects) add_original(graph, original);
  return finished(std::move(graph), "embed");
}

std::vector<Graph> CalibrationGraphs::choose(size_t group) const {
  const LinearGroup& chosen = groups_[group];
  Graph collect = layer(chosen.layer);
  std::vector<std::string> done;
  for (const LinearGroup& before : groups_) {
    if (&before == &chosen) break;
    if (before.layer == chosen.layer) done.insert(done.end(), before.weights.begin(), before.weights.end());
  }
  read_quantised(collect, formats_, done);
  Graph solve;
  ValueId original = kNoValue;  // what x is in the whole model
  if (settings_.corrects) {
    const Graph whole = layer(chosen.layer);
    const std::vector<ValueId> now = add_original(collect, whole);
    original = now[static_cast<size_t>(product_with(whole, chosen.weights[0]).inputs[0])];
  }
  Builder collecting(collect);
  const ValueId x = product_with(collect, chosen.weights[0]).inputs[0];
  const int64_t columns = collecting.type(x).shape[1];
  const ValueId gram = collecting.input("gram", f32({columns, columns}), Role::activation);
  collecting.set_segment(layer_segment(chosen.layer));
  collect.results.clear();
  collecting.carry(gram, matmul(collecting, x, x, {.a = true}, gram));
  if (settings_.corrects) {
    const ValueId change = add(collecting, original, scale(collecting, x, -1));
    for (const std::string& name : chosen.weights) {
      const ValueId weight = collect.find(name);
      const ValueId pull = collecting.input(pull_name(name), f32(collecting.type(weight).shape), Role::activation);
      const ValueId lacking = linear(collecting, change, weight);
      collecting.carry(pull, matmul(collecting, lacking, x, {.a = true}, pull));
    }
  }

  Builder build(solve);
  build.set_segment(layer_segment(chosen.layer));
  const ValueId summed = build.input("gram", f32({columns, columns}), Role::activation);
  // One order of the columns serves all weights of the group.
  const int64_t size = as_grouped(formats_.at(chosen.weights[0]))->group();
  for (const std::string& name : chosen.weights) {
    ensure(as_grouped(formats_.at(name))->group() == size, "{}: groups unlike those of {}", name, chosen.weights[0]);
  }
  const FactoredGram factored = factor_gram(build, summed, settings_.damping, size == 0 ? columns : size);
  build.carry(summed, factored.factor);
  const auto result = [&](ValueId value, std::string name) {
    solve.value(value).name = std::move(name);
    build.result(value);
  };
  result(factored.diagonal, "diagonal");
  for (const std::string& name : chosen.weights) {
    const Value& declared = forward_.value(forward_.find(name));
    const ValueId weight = build.input(name, declared.type, Role::weight, declared.binding);
    const ValueId target = quantised_input(build, name, {formats_.at(name), declared.type.shape});
    ValueId pull = kNoValue;
    if (settings_.corrects) pull = build.input(pull_name(name), f32(declared.type.shape), Role::activation);
    const QuantizedByGram quantised = gptq(build, weight, factored, target, settings_.codes, pull);
    build.carry(target, quantised.weight);
    result(quantised.losses, loss_name(name));
    result(gram_losses(build, weight, factored, encode(build, weight, formats_.at(name))), rounding_loss_name(name));
    result(gram_losses(build, weight, factored), energy_name(name));
  }
  return {finished(std::move(collect), "collect"), finished(std::move(solve), "solve")};
}

Graph CalibrationGraphs::advance(int64_t number) const {
  const Graph original = layer(number);
  Graph graph = original;
  for (const LinearGroup& group : groups_) {
    if (group.layer == number) read_quantised(graph, formats_, group.weights);
  }
  if (settings_.corrects) add_original(graph, original);
  return finished(std::move(graph), "advance");
}

}  // namespace headroom
