#include "headroom/runtime/view.h"

#include <gtest/gtest.h>

#include "headroom/backend/isa.h"
#include "headroom/graph/text.h"
#include "headroom/runtime/workspace.h"

namespace headroom {
namespace {

class ViewTest : public ::testing::Test {
 protected:
  ViewTest() {
    graphs_.push_back(
        parse_graph("graph first\n"
                    "input %a: f32[4] input\n"
                    "input %kept: f32[4] optimizer_state\n"
                    "input %range: i32[2] input\n"
                    "%twice: f32[4] activation = add(%a, %a) forward\n"
                    "%next: f32[4] optimizer_state = write_rows(%kept, %twice, %range) update\n"
                    "carry %kept = %next\n"
                    "result %twice\n"
                    "result %next\n"));
    graphs_.push_back(
        parse_graph("graph second\n"
                    "input %a: f32[4] input\n"
                    "%sum: f64[1] activation = sum(%a) forward\n"
                    "result %sum\n"));
    Plan plan = plan_job({.graphs = graphs_, .processor = choose_backend().on(1)});
    workspace_ = std::make_unique<Workspace>(graphs_, std::move(plan), choose_backend());
    const View<float> a = workspace_->view<float>("a");
    for (int64_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i);
    workspace_->view<int32_t>("range")[1] = 4;
  }

  std::vector<Graph> graphs_;
  std::unique_ptr<Workspace> workspace_;
};

template <class Read>
std::string refusal(Read read) {
  try {
    read();
  } catch (const InternalError& error) {
    return std::string(error.what()).substr(std::string_view("internal error: ").size());
  }
  return "";
}

TEST_F(ViewTest, AResultIsReadUntilAnotherGraphRuns) {
  Executor& first = workspace_->at("first");
  const View<const float> twice = first.result<float>("twice");
  EXPECT_EQ(refusal([&] { return twice[1]; }), "graph first: its result 'twice' is gone: no graph has run");
  first.run();
  EXPECT_EQ(twice[3], 6.0f);
  EXPECT_EQ(twice.all().size(), 4u);
  workspace_->at("second").run();
  EXPECT_EQ(*workspace_->at("second").result<double>("sum"), 6.0);
  EXPECT_EQ(refusal([&] { return twice[3]; }), "graph first: its result 'twice' is gone: graph second has run");
  EXPECT_NE(refusal([&] { return twice.all().size(); }), "");
  first.run();
  EXPECT_EQ(twice[3], 6.0f);
}

TEST_F(ViewTest, WhatTheJobKeepsStays) {
  const View<const float> next = workspace_->at("first").result<float>("next");
  workspace_->at("first").run();
  workspace_->at("second").run();
  EXPECT_EQ(next[3], 6.0f);  // in the storage of an input
  EXPECT_EQ(workspace_->view<float>("kept")[3], 6.0f);
}

TEST_F(ViewTest, NamesAndTypesAreChecked) {
  EXPECT_EQ(refusal([&] { workspace_->view<int32_t>("a"); }), "'a' is viewed as i32, but it is f32[4]");
  EXPECT_EQ(refusal([&] { workspace_->view<float>("b"); }), "the job has no persistent value 'b' in memory");
  EXPECT_EQ(refusal([&] { workspace_->at("second").result<float>("b"); }), "graph second: 'b' is no result in memory");
  EXPECT_FALSE(View<float>().is_bound());
}

}  // namespace
}  // namespace headroom
