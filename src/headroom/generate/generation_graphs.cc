#include "headroom/generate/generation_graphs.h"

#include <fmt/core.h>

#include "headroom/ops/embedding.h"
#include "headroom/ops/logsumexp.h"
#include "headroom/ops/matmul.h"
#include "headroom/passes/insert_lora.h"

namespace headroom {
namespace {

constexpr int64_t kSmallestPrefill = 4;  // rows; below, decode steps do

Graph build_step(const Model& model, const GenerationShape& shape, int64_t rows) {
  Graph graph;
  graph.name = step_name(rows);
  Builder build(graph);
  const auto own = [&](const char* name) { return fmt::format("{}.{}", step_name(rows), name); };
  const int64_t head_dim = 2 * static_cast<int64_t>(model.rotary_frequencies().size());
  StepInputs inputs;
  inputs.tokens = build.input(own("tokens"), i32({rows}), Role::input);
  inputs.positions = build.input(own("positions"), i32({rows}), Role::input);
  inputs.sequences = build.input("sequences", i32({1, 4}), Role::input);
  inputs.rotary_table = build.input("rotary_table", f32({shape.context, head_dim}), Role::input);
  inputs.cache_range = build.input("cache_range", i32({2}), Role::input);
  inputs.cache_rows = shape.context;
  inputs.cache_dtype = shape.cache_dtype;
  const ValueId last_row = build.input(own("last_row"), i32({1}), Role::input);
  if (shape.orders_vocabulary) build.input("vocabulary_order", i32({model.vocabulary()}), Role::scratch);

  const ValueId h = model.forward(build, inputs, model.stored_formats());
  const ValueId last = embedding(build, h, last_row);
  const ValueId logits = linear(build, last, model.head_weight(build, model.stored_formats()));
  const ValueId lse = logsumexp(build, logits);
  graph.value(logits).name = own("logits");
  graph.value(lse).name = own("lse");
  build.result(logits);
  build.result(lse);
  return graph;
}

}  // namespace

std::vector<int64_t> step_rows(const GenerationShape& shape) {
  std::vector<int64_t> rows;
  for (int64_t next = shape.prefill_chunk; next >= kSmallestPrefill; next /= 4) rows.push_back(next);
  if (rows.empty() && shape.prefill_chunk > 1) rows.push_back(shape.prefill_chunk);
  rows.push_back(1);
  return rows;
}

std::string step_name(int64_t rows) { return rows == 1 ? "decode" : fmt::format("prefill_{}", rows); }

std::vector<Graph> build_generation_graphs(const Model& model, const GenerationShape& shape, PassTrace* trace) {
  std::vector<Pass> passes;
  if (!shape.adapter.empty()) {
    passes.push_back({"lora", [&](Graph graph) { return insert_lora(std::move(graph), shape.adapter); }, false});
  }
  std::vector<Graph> graphs;
  for (const int64_t rows : step_rows(shape)) {
    graphs.push_back(run_passes(build_step(model, shape, rows), passes, trace));
  }
  return graphs;
}

}  // namespace headroom
