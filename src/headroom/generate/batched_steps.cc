#include "headroom/generate/batched_steps.h"

#include <algorithm>

#include "headroom/models/constants.h"
#include "headroom/tasks/next_token.h"

namespace headroom {
namespace {

constexpr int32_t kSomeToken = 1;

StepShape step_shape(const BatchedShape& shape, const std::string& name, int64_t rows, int64_t sequences) {
  return {.tokens = rows,
          .sequences = sequences,
          .positions = shape.context,
          .cache_rows = shape.sequences * shape.context,
          .of_tokens = name + ".",
          .of_sequences = name + "."};
}

StepShape prefill_shape(const BatchedShape& shape) { return step_shape(shape, "prefill", shape.prefill_rows, 1); }
StepShape decode_shape(const BatchedShape& shape) {
  return step_shape(shape, "decode", shape.sequences, shape.sequences);
}

Graph build_step(const Model& model, const StepShape& shape, const char* name, Compute compute) {
  Graph graph;
  graph.name = name;
  Builder build(graph);
  append_logits(build, model, shape, declare_logits_inputs(build, model, shape));
  const std::optional<Pass> pass = pass_of(compute);
  return pass ? run_passes(std::move(graph), {*pass}) : graph;
}

}  // namespace

std::vector<Graph> build_batched_graphs(const Model& model, const BatchedShape& shape) {
  std::vector<Graph> graphs;
  if (shape.prefill_rows > 0) graphs.push_back(build_step(model, prefill_shape(shape), "prefill", shape.compute));
  if (shape.decodes) graphs.push_back(build_step(model, decode_shape(shape), "decode", shape.compute));
  return graphs;
}

BatchedSteps::BatchedSteps(Workspace& workspace, const Model& model, const BatchedShape& shape)
    : workspace_(workspace),
      shape_(shape),
      token_(static_cast<int32_t>(std::min<int64_t>(kSomeToken, model.vocabulary() - 1))) {
  fill_constants(model, workspace);
  if (!shape.decodes) return;
  const View<int32_t> last = workspace.view<int32_t>("decode.last_row");
  for (int64_t one = 0; one < shape.sequences; ++one) last[one] = static_cast<int32_t>(one);
}

void BatchedSteps::prefill(int64_t tokens) {
  StepFiller step(workspace_, prefill_shape(shape_));
  const View<int32_t> last = workspace_.view<int32_t>("prefill.last_row");
  for (int64_t one = 0; one < shape_.sequences; ++one) {
    for (int64_t done = 0; done < tokens; done += shape_.prefill_rows) {
      const int64_t rows = std::min(shape_.prefill_rows, tokens - done);
      for (int64_t row = 0; row < rows; ++row) step.token(row, token_, done + row);
      step.leave_out(rows, step.rows());
      step.begin_sequences();
      step.cached_sequence(0, rows, one * shape_.context, done);
      *last = static_cast<int32_t>(rows) - 1;
      workspace_.at("prefill").run();
    }
  }
}

void BatchedSteps::decode(int64_t position) {
  StepFiller step(workspace_, decode_shape(shape_));
  step.begin_sequences();
  for (int64_t one = 0; one < shape_.sequences; ++one) {
    step.token(one, token_, position);
    step.cached_sequence(one, 1, one * shape_.context, position);
  }
  workspace_.at("decode").run();
}

}  // namespace headroom
