#include "headroom/generate/evaluation_graphs.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/ops/argmax.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/kl_divergence.h"
#include "headroom/ops/logsumexp.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/write_rows.h"
#include "headroom/passes/insert_lora.h"
#include "headroom/tasks/task.h"

namespace headroom {
namespace {

ValueId hidden_input(Builder& build, const Model& model, const EvaluationShape& shape) {
  return build.input("hidden", f32({shape.tokens(), model.features()}), Role::activation);
}

struct Losses {
  Graph graph;
  Value head;  // the weight of the output layer
};

Losses build_losses(const Model& model, const EvaluationShape& shape) {
  Losses built;
  Graph& graph = built.graph;
  graph.name = "evaluation";
  Builder build(graph);
  const Task& task = task_of(model);
  const TaskInputs inputs = task.declare(build, model, shape.step());
  ValueId h = model.forward(build, inputs.step, model.stored_formats());
  if (shape.logit_rows > 0) {
    const ValueId hidden = hidden_input(build, model, shape);
    h = write_rows(build, hidden, h, build.input("hidden_range", i32({2}), Role::input));
    build.carry(hidden, h);
  }
  const ValueId head = model.head_weight(build, model.stored_formats());
  const ValueId losses = task.losses(build, h, head, inputs);
  graph.value(losses).name = "losses";
  build.result(losses);
  built.head = graph.value(head);
  return built;
}

// f32[R, V] of the rows `rows` of a hidden state that an evaluation left.
ValueId logits_of(Builder& build, ValueId hidden, ValueId rows, const Value& head) {
  return linear(build, embedding(build, hidden, rows), build.input(head.name, head.type, Role::weight, head.binding));
}

ValueId logit_rows_input(Builder& build, const EvaluationShape& shape) {
  return build.input("logit_rows", i32({shape.logit_rows}), Role::input);
}

void name_result(Builder& build, ValueId value, std::string_view name) {
  build.graph().value(value).name = name;
  build.result(value);
}

Graph build_logits(const Model& model, const EvaluationShape& shape, const Value& head) {
  Graph graph;
  graph.name = "logits";
  Builder build(graph);
  build.set_segment({"head"});
  const ValueId rows = logit_rows_input(build, shape);
  name_result(build, logits_of(build, hidden_input(build, model, shape), rows, head), "logits");
  return graph;
}

// The reference beside the model: names of its own, except for what both read alike. Sequences say where keys begin,
// which in a cache is elsewhere.
void become_reference(Losses& losses, bool shares_sequences) {
  std::vector<std::string_view> shared = {"tokens", "targets", "positions", "hidden_range"};
  if (shares_sequences) shared.push_back("sequences");
  const auto take = [](Binding& binding) { binding.source = Source::reference; };
  for (Value& value : losses.graph.values) {
    if (std::find(shared.begin(), shared.end(), value.name) != shared.end()) continue;
    value.name.insert(0, kReferencePrefix);
    if (value.role == Role::weight) rebind(value, take);
  }
  losses.graph.name.insert(0, kReferencePrefix);
  losses.head.name.insert(0, kReferencePrefix);
  rebind(losses.head, take);
}

Graph build_comparison(const Model& model, const Model& reference, const EvaluationShape& shape, const Value& head,
                       const Value& reference_head) {
  Graph graph;
  graph.name = "comparison";
  Builder build(graph);
  build.set_segment({"head"});
  const ValueId rows = logit_rows_input(build, shape);
  const ValueId logits = logits_of(build, hidden_input(build, model, shape), rows, head);
  const ValueId reference_hidden =
      build.input("reference.hidden", f32({shape.tokens(), reference.features()}), Role::activation);
  const ValueId reference_logits = logits_of(build, reference_hidden, rows, reference_head);
  const ValueId kl =
      kl_divergence(build, reference_logits, logsumexp(build, reference_logits), logits, logsumexp(build, logits));
  name_result(build, kl, "kl_divergence");
  name_result(build, argmax(build, logits), "top");
  name_result(build, argmax(build, reference_logits), "reference_top");
  return graph;
}

// Of the model, not of the reference.
std::vector<Pass> passes_of(const EvaluationShape& shape) {
  std::vector<Pass> passes;
  if (!shape.adapter.empty()) {
    passes.push_back({"lora", [&](Graph graph) { return insert_lora(std::move(graph), shape.adapter); }, false});
  }
  if (const std::optional<Pass> pass = pass_of(shape.compute)) passes.push_back(*pass);
  return passes;
}

}  // namespace

StepShape EvaluationShape::step() const {
  StepShape shape = {.tokens = tokens(), .sequences = rows, .positions = row_tokens};
  if (cache_kind == CacheKind::f32) return shape;
  shape.cache_rows = multiply_sizes(rows, sequence_rows(), "--batch-size x row length");
  shape.cache_kind = cache_kind;
  return shape;
}

std::vector<Graph> build_evaluation_graphs(const Model& model, const EvaluationShape& shape, PassTrace* trace) {
  Losses losses = build_losses(model, shape);
  std::vector<Graph> graphs;
  graphs.push_back(run_passes(std::move(losses.graph), passes_of(shape), trace));
  if (shape.logit_rows > 0) graphs.push_back(run_passes(build_logits(model, shape, losses.head), {}, trace));
  return graphs;
}

std::vector<Graph> build_comparison_graphs(const Model& model, const Model& reference, const EvaluationShape& shape,
                                           PassTrace* trace) {
  Losses losses = build_losses(model, shape);
  EvaluationShape of_reference = shape;
  of_reference.cache_kind = CacheKind::f32;
  Losses reference_losses = build_losses(reference, of_reference);
  become_reference(reference_losses, shape.cache_kind == CacheKind::f32);
  std::vector<Graph> graphs;
  graphs.push_back(run_passes(std::move(losses.graph), passes_of(shape), trace));
  graphs.push_back(run_passes(std::move(reference_losses.graph), {}, trace));
  graphs.push_back(
      run_passes(build_comparison(model, reference, shape, losses.head, reference_losses.head), {}, trace));
  return graphs;
}

}  // namespace headroom
