#include "headroom/graph/verify.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"

namespace headroom {
namespace {

constexpr const char* kSound =
    "graph g\n"
    "input %a: f32[4] input\n"
    "input %w: f32[4] weight\n"
    "%b: f32[4] activation = add(%a, %w) forward\n"
    "%c: f32[4] activation = add(%b, %w) forward\n"
    "%next: f32[4] weight = zero(%w) update\n"
    "carry %w = %next\n"
    "result %c\n";

std::string refusal(Graph graph) {
  try {
    verify(graph);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

TEST(Verify, AcceptsASoundGraph) { EXPECT_EQ(refusal(parse_graph(kSound)), ""); }

TEST(Verify, NamesMustBeUnique) {
  Graph graph = parse_graph(kSound);
  graph.value(graph.find("b")).name = "a";
  EXPECT_NE(refusal(graph).find("two values are named 'a'"), std::string::npos);
}

TEST(Verify, ValuesAreMadeBeforeTheyAreRead) {
  Graph graph = parse_graph(kSound);
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_NE(refusal(graph).find("reads 'b' before it is made"), std::string::npos);
}

TEST(Verify, TypesMustBeThoseOfTheOp) {
  Graph graph = parse_graph(kSound);
  graph.value(graph.find("c")).type = f32({5});
  EXPECT_NE(refusal(graph).find("'c' is f32[5], but add makes f32[4]"), std::string::npos);
}

TEST(Verify, NobodyReadsAValueWhoseStorageWasTaken) {
  Graph graph = parse_graph(kSound);
  std::swap(graph.nodes[1], graph.nodes[2]);  // the update comes before a reader of w
  EXPECT_NE(refusal(graph).find("add reads 'w' after 'next' took its storage"), std::string::npos);
}

TEST(Verify, AnOverwrittenInputMustBeCarried) {
  Graph graph = parse_graph(kSound);
  graph.carries.clear();
  EXPECT_NE(refusal(graph).find("the input 'w' is overwritten but not carried"), std::string::npos);
}

TEST(Verify, ACarriedValueLivesInItsInputsStorage) {
  Graph graph = parse_graph(kSound);
  graph.carries[0].next = graph.find("c");
  EXPECT_NE(refusal(graph).find("'c' does not end up in the storage of 'w'"), std::string::npos);
}

TEST(Graph, DeadNodesAndValuesGo) {
  Graph graph = parse_graph(kSound);
  graph.results.clear();
  const Graph pruned = without_dead_nodes(graph);
  EXPECT_EQ(pruned.nodes.size(), 1u);
  EXPECT_EQ(pruned.find("b"), kNoValue);
  EXPECT_EQ(pruned.find("a"), kNoValue);
  EXPECT_EQ(pruned.inputs.size(), 1u);
  EXPECT_EQ(refusal(pruned), "");
}

}  // namespace
}  // namespace headroom
