#include "headroom/train/batch_inputs.h"

#include <gtest/gtest.h>

#include <bit>

#include "headroom/backend/backend.h"
#include "headroom/data/marked_token.h"
#include "headroom/models/fill_random.h"
#include "headroom/models/presets.h"
#include "headroom/plan/job.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

constexpr int64_t kRowLength = 24;

// Letters are tokens; "^" in front of a beginning, "-" in front of what does not count, "_" is padding.
std::vector<int32_t> marked(std::string_view text) {
  std::vector<int32_t> tokens;
  bool begins = false, counts = true;
  for (const char letter : text) {
    if (letter == '^') {
      begins = true;
    } else if (letter == '-') {
      counts = false;
    } else {
      tokens.push_back(letter == '_' ? kPadding : mark_token(letter - 'a', counts, begins));
      begins = false;
      counts = true;
    }
  }
  return tokens;
}

class BatchInputsTest : public testing::Test {
 protected:
  BatchInputsTest() {
    model_ = make_model(config_of(*find_preset("tiny-300k")));
    Job job = build_training_job(*model_, {.shape = shape_}, {}, true);
    job.processor = choose_backend().on(1);
    Plan plan = plan_job(job);
    workspace_ = std::make_unique<Workspace>(std::move(job.graphs), std::move(plan), choose_backend());
    uint64_t index = 0;
    for (const Parameter& parameter : model_->parameters()) {
      const Tensor tensor = workspace_->persistent(parameter.name);
      std::vector<float> numbers(static_cast<size_t>(tensor.elements()), 1.0f);
      if (parameter.shape.rank() > 1) fill_random(numbers, 7, index++, 0, 0.3);
      std::copy(numbers.begin(), numbers.end(), tensor.as<float>());
    }
    inputs_.emplace(*workspace_, *model_, shape_);
  }

  // One row, filled up with padding.
  void fill(std::string_view text) {
    std::vector<int32_t> tokens = marked(text);
    tokens.resize(kRowLength, kPadding);
    TokenFileWriter writer(directory_ / "a.tokens", model_->vocabulary());
    writer.add(tokens);
    writer.finish({});
    file_.emplace(directory_ / "a.tokens");
    batches_.emplace(TokenBatches::in_order(*file_, 1, kRowLength));
    counted_ = inputs_->fill(*batches_, 0, 0);
  }
  std::vector<int32_t> input(const char* name) const {
    const Tensor tensor = workspace_->persistent(name);
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
  }
  // Of the tokens that count, as bits.
  std::vector<uint32_t> losses() {
    workspace_->at("evaluation").run();
    const View<const float> all = workspace_->at("evaluation").result<float>("losses");
    const std::vector<int32_t> targets = input("targets");
    std::vector<uint32_t> counted;
    for (size_t t = 0; t < targets.size(); ++t) {
      if (targets[t] >= 0) counted.push_back(std::bit_cast<uint32_t>(all[static_cast<int64_t>(t)]));
    }
    return counted;
  }

  TrainingShape shape_{.micro_rows = 1, .micro_batches = 1, .seq_len = kRowLength, .documents_per_row = kRowLength / 2};
  TemporaryDirectory directory_;
  std::unique_ptr<Model> model_;
  std::vector<Graph> graphs_;
  std::unique_ptr<Workspace> workspace_;
  std::optional<BatchInputs> inputs_;
  std::optional<TokenFile> file_;
  std::optional<TokenBatches> batches_;
  int64_t counted_ = 0;
};

TEST_F(BatchInputsTest, DocumentsOfARowAreSequencesOfTheirOwn) {
  fill("bc^-d-ef^g^hi");
  EXPECT_EQ(counted_, 3);
  const std::vector<int32_t> targets = input("targets"), positions = input("positions");
  EXPECT_EQ(std::vector<int32_t>(targets.begin(), targets.begin() + 9),
            (std::vector<int32_t>{2, -1, -1, 5, -1, -1, 8, -1, -1}));
  EXPECT_EQ(std::vector<int32_t>(positions.begin(), positions.begin() + 9),
            (std::vector<int32_t>{0, 1, 0, 1, 2, 0, 0, 1, 0}));
  const std::vector<int32_t> sequences = input("sequences");
  EXPECT_EQ(std::vector<int32_t>(sequences.begin(), sequences.begin() + 16),
            (std::vector<int32_t>{0, 1, 0, 0, 2, 2, 2, 0, 6, 1, 6, 0, 0, 0, 0, 0}));
}

TEST_F(BatchInputsTest, ADocumentInARowHasTheLossesOfTheDocumentAlone) {
  const std::vector<std::string> documents = {"^abcde", "^-x-yzabz", "^m-nopq", "^za"};
  std::vector<uint32_t> alone;
  for (const std::string& document : documents) {
    fill(document);
    const std::vector<uint32_t> more = losses();
    alone.insert(alone.end(), more.begin(), more.end());
  }
  EXPECT_EQ(alone.size(), 12u);
  fill(documents[0] + documents[1] + documents[2] + documents[3]);
  EXPECT_EQ(losses(), alone);
  // Without beginnings a document sees those before it.
  fill("abcde-x-yzabzm-nopqza");
  const std::vector<uint32_t> together = losses();
  EXPECT_EQ(together[3], alone[3]);
  EXPECT_NE(together.back(), alone.back());
}

TEST_F(BatchInputsTest, TheMostDocumentsFit) {
  fill("ab^ab^ab^ab^ab^ab^ab^ab^ab^ab^ab^ab");
  EXPECT_EQ(counted_, kRowLength / 2);
  const std::vector<uint32_t> all = losses();
  EXPECT_EQ(all, std::vector<uint32_t>(all.size(), all[0]));
}

TEST_F(BatchInputsTest, TheLossIsTheMeanOfWhatCounts) {
  const auto gradient = [&] { return *workspace_->persistent("loss_gradient").as<float>(); };
  fill("^-a-bcd");
  EXPECT_EQ(inputs_->begin_update(*batches_, 0), 2);
  EXPECT_EQ(gradient(), 0.5f);
  fill("^a^b^c");
  EXPECT_EQ(inputs_->begin_update(*batches_, 0), 0);
  EXPECT_EQ(gradient(), 0.0f);
}

}  // namespace
}  // namespace headroom
