#include "headroom/passes/offload.h"

#include <gtest/gtest.h>

#include "headroom/backend/backend.h"
#include "headroom/base/errors.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/plan/job.h"
#include "headroom/runtime/workspace.h"

namespace headroom {
namespace {

constexpr const char* kOffloadedStep =
    "graph step\n"
    "input %w: f32[2, 4096] weight\n"
    "input %s: f32[3] input\n"
    "input %w.adam_m: f32[2, 4096] optimizer_state\n"
    "input %w.adam_v: f32[2, 4096] optimizer_state\n"
    "%x: f32[2, 4096] activation = add(%w, %w) @a forward\n"
    "%g: f32[2, 4096] gradient = add(%x, %w) @a backward\n"
    "%n: f64[1] activation = squared_norm(%g) @w update\n"
    "%w.next: f32[2, 4096] weight, %m.next: f32[2, 4096] optimizer_state, %v.next: f32[2, 4096] optimizer_state = "
    "adamw(%w, %w.adam_m, %w.adam_v, %g, %s) {beta1=0.9, beta2=0.95, eps=1e-08, weight_decay=0.1} @w update\n"
    "carry %w = %w.next\n"
    "carry %w.adam_m = %m.next\n"
    "carry %w.adam_v = %v.next\n"
    "result %n\n";

Graph step() {
  Graph graph = parse_graph(kOffloadedStep);
  verify(graph);
  return graph;
}

// A layer of decoding, its cache on disk: rows that are filled come, and those that are written go.
TEST(Offload, MovesTheRowsOfACacheThatAreUsed) {
  Graph before = parse_graph(
      "graph decode\n"
      "input %k: f32[4096, 8] kv_cache\n"
      "input %range: i32[2] input\n"
      "input %rows: f32[3, 8] input\n"
      "%k.next: f32[4096, 8] kv_cache = write_rows(%k, %rows, %range) @layers.0 forward\n"
      "%n: f64[1] activation = squared_norm(%k.next) @layers.0 forward\n"
      "carry %k = %k.next\n"
      "result %n\n");
  verify(before);
  const Graph after = offload(before, {.values = {"k"}});
  verify(after);
  const std::string text = to_text(after);
  EXPECT_EQ(text.substr(text.find("%k/buffer.0")),
            "%k/buffer.0: f32[4096, 8] kv_cache = load_rows(%k, %range) @layers.0 forward\n"
            "%k/loaded.1: f32[4096, 8] kv_cache = loaded(%k/buffer.0) @layers.0 forward\n"
            "%k.next: f32[4096, 8] kv_cache = write_rows(%k/loaded.1, %rows, %range) @layers.0 forward\n"
            "%n: f64[1] activation = squared_norm(%k.next) @layers.0 forward\n"
            "%k/disk.0: f32[4096, 8] kv_cache on disk = store_rows(%k.next, %k, %range) {rows=3} @layers.0 forward\n"
            "%k/disk.1: f32[4096, 8] kv_cache on disk = stored(%k.next, %k/disk.0) @layers.0 forward\n"
            "carry %k = %k/disk.1\n"
            "result %n\n");
  const Plan plan = plan_job({.graphs = {after}, .processor = choose_backend().on(1)});
  EXPECT_EQ(plan.graphs[0].disk_read_bytes, 4096 * 8 * 4);
  EXPECT_EQ(plan.graphs[0].disk_written_bytes, 4096);
}

int64_t persistent_bytes(const Graph& graph) {
  return plan_job({.graphs = {graph}, .processor = choose_backend().on(1)}).persistent_bytes;
}

TEST(Offload, PassesMomentsThroughMemoryPanelByPanel) {
  const Graph before = step();
  const Graph after = offload(before, {{"w.adam_m", "w.adam_v"}, 16384, 0});
  verify(after);
  const std::string text = to_text(after);
  EXPECT_EQ(
      text.substr(text.find("%w.adam_m/buffer.0")),
      "%w.adam_m/buffer.0: f32[4096] optimizer_state, %w.adam_v/buffer.1: f32[4096] optimizer_state = "
      "load(%w.adam_m, %w.adam_v) {first=0, elements=4096} @w update\n"
      "%w.adam_m/loaded.2: f32[4096] optimizer_state, %w.adam_v/loaded.3: f32[4096] optimizer_state = "
      "loaded(%w.adam_m/buffer.0, %w.adam_v/buffer.1) @w update\n"
      "%w.next/panel.4: f32[2, 4096] weight, %m.next/panel.5: f32[4096] optimizer_state, "
      "%v.next/panel.6: f32[4096] optimizer_state = adamw(%w, %w.adam_m/loaded.2, %w.adam_v/loaded.3, %g, %s) "
      "{beta1=0.9, beta2=0.95, eps=1e-08, weight_decay=0.1, first=0, elements=4096} @w update\n"
      "%w.adam_m/disk.0: f32[2, 4096] optimizer_state on disk, %w.adam_v/disk.0: f32[2, 4096] optimizer_state on disk "
      "= store(%m.next/panel.5, %v.next/panel.6, %w.adam_m, %w.adam_v) {first=0, elements=4096} @w update\n"
      "%w.adam_m/disk.1: f32[2, 4096] optimizer_state on disk, %w.adam_v/disk.1: f32[2, 4096] optimizer_state on disk "
      "= stored(%m.next/panel.5, %v.next/panel.6, %w.adam_m/disk.0, %w.adam_v/disk.0) @w update\n"
      "%w.adam_m/buffer.7: f32[4096] optimizer_state, %w.adam_v/buffer.8: f32[4096] optimizer_state = "
      "load(%w.adam_m/disk.1, %w.adam_v/disk.1) {first=4096, elements=4096} @w update\n"
      "%w.adam_m/loaded.9: f32[4096] optimizer_state, %w.adam_v/loaded.10: f32[4096] optimizer_state = "
      "loaded(%w.adam_m/buffer.7, %w.adam_v/buffer.8) @w update\n"
      "%w.next: f32[2, 4096] weight, %m.next/panel.11: f32[4096] optimizer_state, "
      "%v.next/panel.12: f32[4096] optimizer_state = adamw(%w.next/panel.4, %w.adam_m/loaded.9, %w.adam_v/loaded.10, "
      "%g, %s) {beta1=0.9, beta2=0.95, eps=1e-08, weight_decay=0.1, first=4096, elements=4096} @w update\n"
      "%w.adam_m/disk.2: f32[2, 4096] optimizer_state on disk, %w.adam_v/disk.2: f32[2, 4096] optimizer_state on disk "
      "= store(%m.next/panel.11, %v.next/panel.12, %w.adam_m/disk.1, %w.adam_v/disk.1) {first=4096, elements=4096} "
      "@w update\n"
      "%w.adam_m/disk.3: f32[2, 4096] optimizer_state on disk, %w.adam_v/disk.3: f32[2, 4096] optimizer_state on disk "
      "= stored(%m.next/panel.11, %v.next/panel.12, %w.adam_m/disk.2, %w.adam_v/disk.2) @w update\n"
      "carry %w = %w.next\n"
      "carry %w.adam_m = %w.adam_m/disk.3\n"
      "carry %w.adam_v = %w.adam_v/disk.3\n"
      "result %n\n");
  const Plan plan = plan_job({.graphs = {after}, .processor = choose_backend().on(1)});
  EXPECT_EQ(plan.disk_bytes, 2 * 32768);
  EXPECT_EQ(plan.graphs[0].disk_read_bytes, 2 * 32768);
  EXPECT_EQ(plan.graphs[0].disk_written_bytes, 2 * 32768);
  EXPECT_LT(plan.persistent_bytes, persistent_bytes(before));
}

// The same pass with the other lane and the other tier.
TEST(Offload, LeavesToTheMemoryOfTheHostBehindADevice) {
  const Graph after = offload(step(), {{"w.adam_m", "w.adam_v"}, 16384, 0, Tier::host});
  verify(after);
  const std::string text = to_text(after);
  EXPECT_EQ(to_text(parse_graph(text)), text);
  EXPECT_EQ(text.find(" load("), std::string::npos);
  EXPECT_NE(text.find("%w.adam_v/host.0: f32[2, 4096] optimizer_state on host = download("), std::string::npos);
  const Plan plan = plan_job({.graphs = {after}, .processor = choose_backend().on(1)});
  EXPECT_EQ(plan.host_bytes, 2 * 32768);
  EXPECT_EQ(plan.disk_bytes, 0);
  EXPECT_EQ(plan.graphs[0].disk_read_bytes, 0);
}

TEST(Offload, AJobWithValuesInAnotherTierNeedsABackendWithItsLane) {
  Job job{.graphs = {offload(step(), {{"w.adam_m", "w.adam_v"}, 16384, 0, Tier::host})},
          .processor = choose_backend().on(1)};
  Plan plan = plan_job(job);
  try {
    Workspace workspace(std::move(job.graphs), std::move(plan), choose_backend());
    FAIL() << "values in the memory behind a CPU";
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("runs on the lane link, which the backend cpu has not"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace headroom
