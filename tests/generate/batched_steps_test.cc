#include "headroom/generate/batched_steps.h"

#include <gtest/gtest.h>

#include "headroom/generate/generation_steps.h"
#include "tests/generate/tiny_model.h"

namespace headroom::testing {
namespace {

// The logits behind so many tokens of id 1, by the steps that `generate` takes.
std::vector<float> expected_logits(const Model& model, int64_t tokens) {
  const GenerationShape shape{.context = 32, .prefill_chunk = 8};
  const auto workspace = make_workspace(model, build_generation_graphs(model, shape));
  GenerationSteps steps(*workspace, model, shape);
  const std::vector<int32_t> text(static_cast<size_t>(tokens), 1);
  for (std::span<const int32_t> rest = text; !rest.empty();) rest = rest.subspan(static_cast<size_t>(steps.feed(rest)));
  return {steps.logits().begin(), steps.logits().end()};
}

std::vector<float> logits_of(Executor& executor) {
  const Graph& graph = executor.graph();
  const std::span<const float> logits = executor.result<float>(graph.value(graph.results[0]).name).all();
  return {logits.begin(), logits.end()};
}

TEST(BatchedSteps, EverySequenceHasTheLogitsOfGeneration) {
  const std::unique_ptr<Model> llama = make_llama(tiny_config());
  const Model& model = *llama;
  const BatchedShape shape{.sequences = 3, .context = 20, .prefill_rows = 5, .decodes = true};
  const auto workspace = make_workspace(model, build_batched_graphs(model, shape), 2);
  BatchedSteps steps(*workspace, model, shape);
  steps.prefill(12);
  EXPECT_EQ(logits_of(workspace->at("prefill")), expected_logits(model, 12));

  steps.decode(12);
  steps.decode(13);
  std::vector<float> expected;
  for (int one = 0; one < 3; ++one) {
    const std::vector<float> row = expected_logits(model, 14);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  EXPECT_EQ(logits_of(workspace->at("decode")), expected);
}

}  // namespace
}  // namespace headroom::testing
