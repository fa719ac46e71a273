#include "headroom/generate/evaluator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "headroom/generate/generation_steps.h"
#include "headroom/train/batch_inputs.h"
#include "headroom/train/training_graphs.h"
#include "tests/generate/tiny_model.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using testing::make_workspace;
using testing::some_ids;
using testing::tiny_config;

std::vector<std::vector<int32_t>> three_rows() {
  const std::vector<int32_t> ids = some_ids(60);
  return {{ids.begin(), ids.begin() + 20}, {ids.begin() + 20, ids.begin() + 40}, {ids.begin() + 40, ids.end()}};
}

struct Evaluated {
  double loss_sum = 0;
  int64_t predictions = 0;
  std::vector<float> logits;
};

Evaluated evaluate_rows(const LlamaConfig& config, int64_t batch, int64_t logit_rows = 0) {
  const auto model = make_llama(config);
  const EvaluationShape shape{.rows = batch, .row_tokens = 20, .logit_rows = logit_rows};
  const auto workspace = make_workspace(*model, build_evaluation_graphs(*model, shape));
  Evaluated result;
  Evaluator evaluator(*workspace, *model, shape, [&](const float* logits, int64_t rows) {
    result.logits.insert(result.logits.end(), logits, logits + rows * config.vocabulary);
  });
  for (const auto& row : three_rows()) evaluator.add_row(row);
  evaluator.finish();
  result.loss_sum = evaluator.loss_sum();
  result.predictions = evaluator.predictions();
  return result;
}

// Minus the log-probabilities that generation gives ids[1], ids[2], ...
std::vector<float> generated_losses(const Model& model, const std::vector<int32_t>& ids) {
  const GenerationShape shape{.context = 32, .prefill_chunk = 4};
  const auto workspace = make_workspace(model, build_generation_graphs(model, shape));
  GenerationSteps steps(*workspace, model, shape);
  std::vector<float> losses;
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    steps.feed(std::span(ids).subspan(i, 1));
    losses.push_back(-(steps.logits()[static_cast<size_t>(ids[i + 1])] - steps.lse()));
  }
  return losses;
}

TEST(Evaluator, TheBatchChangesNoBit) {
  const Evaluated one = evaluate_rows(tiny_config(), 1, 7);
  EXPECT_EQ(one.predictions, 3 * 19);
  EXPECT_GT(one.loss_sum / 57, 1.0);
  ASSERT_EQ(one.logits.size(), 60u * 4100);
  for (const int64_t batch : {2, 3, 5}) {
    const Evaluated many = evaluate_rows(tiny_config(), batch, 16);
    EXPECT_EQ(many.loss_sum, one.loss_sum);
    EXPECT_EQ(many.predictions, one.predictions);
    EXPECT_EQ(many.logits, one.logits);
  }
  EXPECT_EQ(evaluate_rows(tiny_config(), 2).loss_sum, one.loss_sum);  // wanting logits changes nothing
}

TEST(Evaluator, LossesAreThoseOfGenerationToTheBit) {
  for (const bool tied : {true, false}) {
    const LlamaConfig config = tiny_config(tied, tied ? DType::f32 : DType::bf16);
    const auto model = make_llama(config);
    double sum = 0;
    for (const auto& row : three_rows()) {
      for (const float loss : generated_losses(*model, row)) sum += static_cast<double>(loss);
    }
    EXPECT_EQ(evaluate_rows(config, 2).loss_sum, sum);
  }
}

TEST(Evaluator, LossesAreThoseOfTrainingToTheBit) {
  const auto model = make_llama(tiny_config());
  const TrainingShape shape{.micro_rows = 3, .micro_batches = 1, .seq_len = 20};
  auto built = build_training_job(*model, {.shape = shape}, {}, true).graphs;
  const auto workspace = make_workspace(*model, std::move(built));
  const TemporaryDirectory directory;
  TokenFileWriter writer(directory / "rows.tokens", model->vocabulary());
  for (const auto& row : three_rows()) writer.add(row);
  writer.finish({});
  const TokenFile file(directory / "rows.tokens");
  BatchInputs inputs(*workspace, *model, shape);
  inputs.fill(TokenBatches::in_order(file, shape.micro_rows, shape.seq_len), 0, 0);
  workspace->at("evaluation").run();
  double sum = 0;
  for (const float loss : workspace->at("evaluation").result<float>("losses").all()) sum += static_cast<double>(loss);
  EXPECT_EQ(evaluate_rows(tiny_config(), 1).loss_sum, sum);
}

TEST(Evaluator, CountsFromTheGivenTokenOnAndTakesShortRows) {
  const auto model = make_llama(tiny_config());
  const EvaluationShape shape{.rows = 2, .row_tokens = 19};
  const auto workspace = make_workspace(*model, build_evaluation_graphs(*model, shape));
  const std::vector<int32_t> row = three_rows()[0];
  const std::vector<float> losses = generated_losses(*model, row);
  Evaluator evaluator(*workspace, *model, shape);
  evaluator.add_row(row, 15);
  evaluator.add_row(std::span(row).first(3));
  evaluator.add_row(std::span(row).first(1));
  evaluator.finish();
  EXPECT_EQ(evaluator.predictions(), 5 + 2);
  EXPECT_EQ(evaluator.tokens(), 19 + 3 + 1);
  double sum = 0;
  for (size_t i = 14; i < 19; ++i) sum += static_cast<double>(losses[i]);
  for (size_t i = 0; i < 2; ++i) sum += static_cast<double>(losses[i]);
  EXPECT_EQ(evaluator.loss_sum(), sum);
}

}  // namespace
}  // namespace headroom
