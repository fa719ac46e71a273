#include "headroom/tasks/step_filler.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/models/presets.h"
#include "headroom/tasks/next_token.h"

namespace headroom {
namespace {

class StepFillerTest : public testing::Test {
 protected:
  void make(const StepShape& shape, bool has_targets) {
    const auto model = make_model(config_of(*find_preset("tiny-300k")));
    Graph graph;
    Builder build(graph);
    if (has_targets) {
      NextToken().declare(build, *model, shape);
    } else {
      declare_step_inputs(build, *model, shape);
    }
    std::vector<Graph> graphs = {std::move(graph)};
    Plan plan = plan_job({.graphs = {graphs[0]}, .processor = choose_backend().on(1)});
    workspace_ = std::make_unique<Workspace>(std::move(graphs), std::move(plan), choose_backend());
    step_ = std::make_unique<StepFiller>(*workspace_, shape);
  }
  std::vector<int32_t> input(const char* name) const {
    const Tensor tensor = workspace_->persistent(name);
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
  }

  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<StepFiller> step_;
};

using Numbers = std::vector<int32_t>;

TEST_F(StepFillerTest, TokensPositionsAndTargetsOfSequences) {
  make({.tokens = 5, .sequences = 3, .positions = 5}, true);
  step_->token(0, 7, 0, 8);
  step_->token(1, 8, 1);
  step_->token(2, 9, 0, 3);
  step_->leave_out(3, 5);
  step_->begin_sequences();
  step_->sequence(0, 2);
  step_->sequence(2, 1);
  step_->sequence(3, 0);  // no sequence
  step_->end_sequences();
  EXPECT_EQ(input("tokens"), (Numbers{7, 8, 9, 0, 0}));
  EXPECT_EQ(input("positions"), (Numbers{0, 1, 0, 0, 0}));
  EXPECT_EQ(input("targets"), (Numbers{8, -1, 3, -1, -1}));
  EXPECT_EQ(input("sequences"), (Numbers{0, 2, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0}));
  EXPECT_EQ(step_->targets_that_count(), 2);
  step_->sequence(3, 1);
  EXPECT_THROW(step_->sequence(4, 1), InternalError);
}

TEST_F(StepFillerTest, SequencesInACache) {
  make({.tokens = 2, .sequences = 2, .positions = 8, .cache_rows = 16, .of_tokens = "d.", .of_sequences = "d."}, false);
  step_->begin_sequences();
  step_->token(0, 4, 3);
  step_->cached_sequence(0, 1, 0, 3);
  step_->token(1, 5, 6);
  step_->cached_sequence(1, 1, 8, 6);
  EXPECT_EQ(input("d.positions"), (Numbers{3, 6}));
  EXPECT_EQ(input("d.sequences"), (Numbers{0, 1, 0, 3, 1, 1, 8, 6}));
  EXPECT_EQ(input("d.cache_range"), (Numbers{3, 1, 14, 1}));
  EXPECT_EQ(step_->targets_that_count(), 0);
}

}  // namespace
}  // namespace headroom
