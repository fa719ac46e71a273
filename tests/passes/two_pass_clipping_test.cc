#include "headroom/passes/two_pass_clipping.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/updates_in_backward.h"
#include "headroom/plan/check_schedules.h"

namespace headroom {
namespace {

Graph step(double max_norm) {
  return parse_graph(fmt::format(
      "graph step\n"
      "input %w: f32[4, 4] weight\n"
      "input %v: f32[4, 4] weight\n"
      "input %x: f32[4, 4] input\n"
      "input %s: f32[3] input\n"
      "%loss: f64[1] activation = sum(%x) forward\n"
      "%dw: f32[4, 4] gradient = add(%v, %x) backward\n"
      "%dv: f32[4, 4] gradient = add(%w, %x) backward\n"
      "%n: f64[1] activation = squared_norm(%dw) update\n"
      "%m: f64[1] activation = squared_norm(%dv) update\n"
      "%gradient_norm: f32[1] activation, %clip/clip_scale: f32[1] activation = clip_scale(%n, %m) {{max_norm={:.1f}}} "
      "update\n"
      "%w.next: f32[4, 4] weight = sgd(%w, %dw, %s, %clip/clip_scale) update\n"
      "%v.next: f32[4, 4] weight = sgd(%v, %dv, %s, %clip/clip_scale) update\n"
      "carry %w = %w.next\n"
      "carry %v = %v.next\n"
      "result %loss\n"
      "result %gradient_norm\n",
      max_norm));
}

TEST(TwoPassClipping, TheFirstGraphTakesNormsAndChangesNothing) {
  const Graph norm = updates_in_backward(keep_only_norm(step(1)));
  verify(norm);
  EXPECT_EQ(to_text(norm),
            "graph norm\n"
            "input %w: f32[4, 4] weight\n"
            "input %v: f32[4, 4] weight\n"
            "input %x: f32[4, 4] input\n"
            "input %clip_scale: f32[1] input\n"
            "%dw: f32[4, 4] gradient = add(%v, %x) backward\n"
            "%n: f64[1] activation = squared_norm(%dw) update\n"
            "%dv: f32[4, 4] gradient = add(%w, %x) backward\n"
            "%m: f64[1] activation = squared_norm(%dv) update\n"
            "%gradient_norm: f32[1] activation, %clip/clip_scale: f32[1] activation = clip_scale(%n, %m, "
            "%clip_scale) {max_norm=1.0, keeps=1} update\n"
            "carry %clip_scale = %clip/clip_scale\n"
            "result %gradient_norm\n");
}

TEST(TwoPassClipping, TheSecondUpdatesInTheBackward) {
  const Graph second = updates_in_backward(take_clip_scale(step(1)));
  verify(second);
  // w is read by dv, so its update waits for that; v's comes at once.
  EXPECT_EQ(to_text(second),
            "graph step\n"
            "input %w: f32[4, 4] weight\n"
            "input %v: f32[4, 4] weight\n"
            "input %x: f32[4, 4] input\n"
            "input %s: f32[3] input\n"
            "input %clip_scale: f32[1] input\n"
            "%loss: f64[1] activation = sum(%x) forward\n"
            "%dw: f32[4, 4] gradient = add(%v, %x) backward\n"
            "%dv: f32[4, 4] gradient = add(%w, %x) backward\n"
            "%w.next: f32[4, 4] weight = sgd(%w, %dw, %s, %clip_scale) update\n"
            "%v.next: f32[4, 4] weight = sgd(%v, %dv, %s, %clip_scale) update\n"
            "carry %w = %w.next\n"
            "carry %v = %v.next\n"
            "result %loss\n");
}

TEST(TwoPassClipping, RunsTheNormFirstOnTheSameInputs) {
  Job job{.graphs = {take_clip_scale(step(1))},
          .schedules = {{.name = "update",
                         .given = {"s"},
                         .rows = {{.graph = 0, .fills = {"x"}, .reads = {"loss", "gradient_norm"}}}}}};
  add_norm_pass(job, keep_only_norm(step(1)));
  EXPECT_NO_THROW(check_schedules(job));
  const std::vector<Row>& rows = job.schedule("update").rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(job.graphs[static_cast<size_t>(rows[0].graph)].name, "norm");
  EXPECT_EQ(rows[0].fills, std::vector<std::string>{"x"});
  EXPECT_EQ(rows[0].reads, std::vector<std::string>{"gradient_norm"});
  EXPECT_EQ(job.graphs[static_cast<size_t>(rows[1].graph)].name, "step");
  EXPECT_TRUE(rows[1].fills.empty());
  EXPECT_EQ(rows[1].reads, std::vector<std::string>{"loss"});
}

TEST(TwoPassClipping, NeedsACommonFactor) {
  EXPECT_THROW(keep_only_norm(step(0)), InternalError);
  EXPECT_THROW(take_clip_scale(step(0)), InternalError);
}

}  // namespace
}  // namespace headroom
