#include "headroom/generate/generation_graphs.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/passes/insert_lora.h"
#include "headroom/tasks/next_token.h"

namespace headroom {
namespace {

constexpr int64_t kSmallestPrefill = 4;  // rows; below, decode steps do

Graph build_step(const Model& model, const GenerationShape& shape, int64_t rows) {
  Graph graph;
  graph.name = step_name(shape, rows);
  Builder build(graph);
  const StepShape step = shape.step(rows);
  const NextTokenLogits inputs = declare_logits_inputs(build, model, step);
  if (shape.orders_vocabulary) build.input("vocabulary_order", i32({model.vocabulary()}), Role::scratch);
  append_logits(build, model, step, inputs);
  return graph;
}

}  // namespace

std::vector<int64_t> step_rows(const GenerationShape& shape) {
  std::vector<int64_t> rows;
  for (int64_t next = shape.prefill_chunk; next >= kSmallestPrefill && next > shape.sequences; next /= 4) {
    rows.push_back(next);
  }
  if (rows.empty() && shape.prefill_chunk > shape.sequences) rows.push_back(shape.prefill_chunk);
  for (int64_t next = shape.sequences; next > 0; next /= 2) rows.push_back(next);
  return rows;
}

StepShape GenerationShape::step(int64_t rows) const {
  const std::string prefix = step_name(*this, rows) + ".";
  return {.tokens = rows,
          .sequences = std::min(rows, sequences),
          .positions = context,
          .cache_rows = multiply_sizes(sequences, sequence_rows(), "--context"),
          .cache_kind = cache_kind,
          .of_tokens = prefix,
          .of_sequences = prefix};
}

int64_t GenerationShape::sequence_rows() const { return sequences == 1 ? context : cache_rows_of(context); }

std::string step_name(const GenerationShape& shape, int64_t rows) {
  if (rows == 1) return "decode";
  return fmt::format("{}_{}", rows <= shape.sequences ? "decode" : "prefill", rows);
}

std::vector<Graph> build_generation_graphs(const Model& model, const GenerationShape& shape, PassTrace* trace) {
  std::vector<Pass> passes;
  if (!shape.adapter.empty()) {
    passes.push_back({"lora", [&](Graph graph) { return insert_lora(std::move(graph), shape.adapter); }, false});
  }
  if (const std::optional<Pass> pass = pass_of(shape.compute)) passes.push_back(*pass);
  std::vector<Graph> graphs;
  for (const int64_t rows : step_rows(shape)) {
    graphs.push_back(run_passes(build_step(model, shape, rows), passes, trace));
  }
  return graphs;
}

}  // namespace headroom
