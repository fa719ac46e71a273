#include "headroom/generate/batched_steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "headroom/models/rotary.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/logsumexp.h"
#include "headroom/ops/matmul.h"

namespace headroom {
namespace {

constexpr int32_t kSomeToken = 1;  // what is computed does not depend on which

std::span<int32_t> integers(const Workspace& workspace, const std::string& name) {
  const Tensor tensor = workspace.persistent(name);
  return {tensor.as<int32_t>(), static_cast<size_t>(tensor.elements())};
}

Graph build_step(const Model& model, const BatchedShape& shape, const std::string& name, int64_t rows,
                 int64_t last_rows) {
  Graph graph;
  graph.name = name;
  Builder build(graph);
  const int64_t head_dim = 2 * static_cast<int64_t>(model.rotary_frequencies().size());
  StepInputs inputs;
  inputs.tokens = build.input(name + ".tokens", i32({rows}), Role::input);
  inputs.positions = build.input(name + ".positions", i32({rows}), Role::input);
  inputs.sequences = build.input(name + ".sequences", i32({last_rows, 4}), Role::input);
  inputs.rotary_table = build.input("rotary_table", f32({shape.context, head_dim}), Role::input);
  inputs.cache_range = build.input(name + ".cache_range", i32({last_rows, 2}), Role::input);
  inputs.cache_rows = shape.sequences * shape.context;
  const ValueId last = build.input(name + ".last_rows", i32({last_rows}), Role::input);
  const ValueId h = model.forward(build, inputs, model.stored_formats());
  const ValueId logits = linear(build, embedding(build, h, last), model.head_weight(build, model.stored_formats()));
  build.result(logits);
  build.result(logsumexp(build, logits));
  return graph;
}

}  // namespace

std::vector<Graph> build_batched_graphs(const Model& model, const BatchedShape& shape) {
  std::vector<Graph> graphs;
  if (shape.prefill_rows > 0) graphs.push_back(build_step(model, shape, "prefill", shape.prefill_rows, 1));
  if (shape.decodes) graphs.push_back(build_step(model, shape, "decode", shape.sequences, shape.sequences));
  return graphs;
}

BatchedSteps::BatchedSteps(Workspace& workspace, const Model& model, const BatchedShape& shape)
    : workspace_(workspace), shape_(shape) {
  const Tensor table = workspace.persistent("rotary_table");
  fill_rotary_table(model.rotary_frequencies(), {table.as<float>(), static_cast<size_t>(table.elements())});
  const int32_t token = static_cast<int32_t>(std::min<int64_t>(kSomeToken, model.vocabulary() - 1));
  if (shape.prefill_rows > 0) std::ranges::fill(integers(workspace, "prefill.tokens"), token);
  if (!shape.decodes) return;
  std::ranges::fill(integers(workspace, "decode.tokens"), token);
  const std::span<int32_t> last = integers(workspace, "decode.last_rows");
  for (size_t i = 0; i < last.size(); ++i) last[i] = static_cast<int32_t>(i);
}

void BatchedSteps::prefill(int64_t tokens) {
  const std::span<int32_t> positions = integers(workspace_, "prefill.positions");
  const std::span<int32_t> sequence = integers(workspace_, "prefill.sequences");
  const std::span<int32_t> range = integers(workspace_, "prefill.cache_range");
  const std::span<int32_t> last = integers(workspace_, "prefill.last_rows");
  for (int64_t one = 0; one < shape_.sequences; ++one) {
    const int32_t first_key = static_cast<int32_t>(one * shape_.context);
    for (int64_t done = 0; done < tokens; done += shape_.prefill_rows) {
      const int32_t first = static_cast<int32_t>(done);
      const int32_t rows = static_cast<int32_t>(std::min(shape_.prefill_rows, tokens - done));
      for (int32_t row = 0; row < static_cast<int32_t>(positions.size()); ++row) {
        positions[static_cast<size_t>(row)] = row < rows ? first + row : 0;
      }
      std::ranges::copy(std::array<int32_t, 4>{0, rows, first_key, first}, sequence.begin());
      std::ranges::copy(std::array<int32_t, 2>{first_key + first, rows}, range.begin());
      last[0] = rows - 1;
      workspace_.at("prefill").run();
    }
  }
}

void BatchedSteps::decode(int64_t position) {
  const std::span<int32_t> sequences = integers(workspace_, "decode.sequences");
  const std::span<int32_t> ranges = integers(workspace_, "decode.cache_range");
  std::ranges::fill(integers(workspace_, "decode.positions"), static_cast<int32_t>(position));
  for (int64_t one = 0; one < shape_.sequences; ++one) {
    const int32_t row = static_cast<int32_t>(one);
    const int32_t first_key = static_cast<int32_t>(one * shape_.context);
    const int32_t at = static_cast<int32_t>(position);
    std::ranges::copy(std::array<int32_t, 4>{row, 1, first_key, at}, sequences.begin() + 4 * one);
    std::ranges::copy(std::array<int32_t, 2>{first_key + at, 1}, ranges.begin() + 2 * one);
  }
  workspace_.at("decode").run();
}

}  // namespace headroom
