#include "headroom/passes/pass.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"

namespace headroom {
namespace {

Graph small_graph() {
  return parse_graph(
      "graph g\n"
      "input %a: f32[4] input\n"
      "%b: f32[4] activation = add(%a, %a) forward\n"
      "result %b\n");
}

const Pass kRename{"rename", [](Graph graph) {
                     graph.value(graph.find("b")).name = "c";
                     return graph;
                   }};
const Pass kBreak{"break", [](Graph graph) {
                    graph.nodes.clear();
                    return graph;
                  }};

TEST(Passes, RunnerShowsEachPassItsBeforeAndAfter) {
  PassTrace trace;
  std::string seen;
  trace.watch = [&](std::string_view pass, const Graph& before, const Graph& after) {
    seen += std::string(pass) + ":\n" + diff(before, after);
  };
  run_passes(small_graph(), {kRename}, &trace);
  EXPECT_NE(seen.find("rename:\n- %b"), std::string::npos);
  ASSERT_EQ(trace.seconds.size(), 1u);
  EXPECT_EQ(trace.seconds[0].first, "rename");
}

TEST(Passes, RunnerNamesThePassThatBreaksTheGraph) {
  try {
    run_passes(small_graph(), {kRename, kBreak});
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("after the pass break"), std::string::npos);
  }
}

TEST(Passes, ADisabledPassIsLeftOut) {
  PassTrace trace;
  trace.disabled = {"break"};
  EXPECT_NE(run_passes(small_graph(), {kRename, kBreak}, &trace).find("c"), kNoValue);
  EXPECT_NO_THROW(check_disabled(trace));
  trace.disabled.push_back("fold");
  EXPECT_THROW(check_disabled(trace), InvalidInput);
}

TEST(Passes, WhatAJobMeansCannotBeDisabled) {
  PassTrace trace;
  trace.disabled = {"rename"};
  const Pass required{"rename", kRename.rewrite, false};
  EXPECT_NE(run_passes(small_graph(), {required}, &trace).find("c"), kNoValue);
  EXPECT_THROW(check_disabled(trace), InvalidInput);
}

}  // namespace
}  // namespace headroom
