#include "headroom/generate/evaluation_graphs.h"

#include "headroom/ops/embedding.h"
#include "headroom/ops/linear_cross_entropy.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/write_rows.h"

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
  const int64_t head_dim = 2 * static_cast<int64_t>(model.rotary_frequencies().size());
  StepInputs inputs;
  inputs.tokens = build.input("tokens", i32({shape.tokens()}), Role::input);
  inputs.positions = build.input("positions", i32({shape.tokens()}), Role::input);
  inputs.sequences = build.input("sequences", i32({shape.rows, 4}), Role::input);
  inputs.rotary_table = build.input("rotary_table", f32({shape.row_tokens, head_dim}), Role::input);
  const ValueId targets = build.input("targets", i32({shape.tokens()}), Role::input);
  ValueId h = model.forward(build, inputs, model.stored_dtype());
  if (shape.logit_rows > 0) {
    const ValueId hidden = hidden_input(build, model, shape);
    h = write_rows(build, hidden, h, build.input("hidden_range", i32({2}), Role::input));
    build.carry(hidden, h);
  }
  const ValueId head = model.head_weight(build, model.stored_dtype());
  const ValueId losses = linear_cross_entropy(build, h, head, targets).loss;
  graph.value(losses).name = "losses";
  build.result(losses);
  built.head = graph.value(head);
  return built;
}

Graph build_logits(const Model& model, const EvaluationShape& shape, const Value& head) {
  Graph graph;
  graph.name = "logits";
  Builder build(graph);
  build.set_scope("head");
  const ValueId rows = build.input("logit_rows", i32({shape.logit_rows}), Role::input);
  const ValueId picked = embedding(build, hidden_input(build, model, shape), rows);
  const ValueId logits = linear(build, picked, build.input(head.name, head.type, Role::weight));
  graph.value(logits).name = "logits";
  build.result(logits);
  return graph;
}

}  // namespace

std::vector<Graph> build_evaluation_graphs(const Model& model, const EvaluationShape& shape, PassTrace* trace) {
  Losses losses = build_losses(model, shape);
  std::vector<Graph> graphs;
  graphs.push_back(run_passes(std::move(losses.graph), {}, trace));
  if (shape.logit_rows > 0) graphs.push_back(run_passes(build_logits(model, shape, losses.head), {}, trace));
  return graphs;
}

}  // namespace headroom
