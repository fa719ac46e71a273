#include "headroom/tasks/classify.h"

#include <gtest/gtest.h>

#include "headroom/data/marked_token.h"
#include "headroom/models/labels.h"
#include "headroom/models/presets.h"

namespace headroom {
namespace {

using Numbers = std::vector<int32_t>;

class ClassifyTest : public testing::Test {
 protected:
  ClassifyTest() {
    model_ = make_model(with_labels(config_of(*find_preset("tiny-300k")), "3"));
    Graph graph;
    Builder build(graph);
    task_of(*model_).declare(build, *model_, shape_);
    std::vector<Graph> graphs = {std::move(graph)};
    Plan plan = plan_job({.graphs = {graphs[0]}, .processor = choose_backend().on(1)});
    workspace_ = std::make_unique<Workspace>(std::move(graphs), std::move(plan), choose_backend());
    step_ = std::make_unique<StepFiller>(*workspace_, shape_);
  }
  Numbers input(const char* name) const {
    const Tensor tensor = workspace_->persistent(name);
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
  }

  StepShape shape_{.tokens = 8, .sequences = 2, .positions = 4};
  std::unique_ptr<Model> model_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<StepFiller> step_;
};

TEST_F(ClassifyTest, TheLastTokenOfATextHasItsLabel) {
  const Numbers row = {mark_token(7, false, true), mark_token(8, false, false), mark_token(2, true, false), kPadding,
                       kPadding};
  const Numbers nothing(5, kPadding);
  step_->begin_sequences();
  task_of(*model_).fill_row(*step_, 0, 4, row);
  task_of(*model_).fill_row(*step_, 4, 4, nothing);
  step_->end_sequences();
  EXPECT_EQ(input("tokens"), (Numbers{7, 8, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(input("positions"), (Numbers{0, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(input("targets"), (Numbers{-1, 2, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(input("sequences"), (Numbers{0, 2, 0, 0, 0, 0, 0, 0}));
}

TEST_F(ClassifyTest, ASampleIsAWholeText) {
  Numbers row(5);
  task_of(*model_).sample_row(*model_, 1, row);
  step_->begin_sequences();
  task_of(*model_).fill_row(*step_, 0, 4, row);
  step_->end_sequences();
  EXPECT_EQ(input("targets"), (Numbers{-1, -1, -1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(input("sequences")[1], 4);
}

}  // namespace
}  // namespace headroom
