// What rewrites of a graph share.
#include "headroom/graph/rewrite.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/ops/add.h"

namespace headroom::testing {
namespace {

const char* const kGraph =
    "graph step\n"
    "input %a: f32[4] input\n"
    "%b: f32[4] activation = scale(%a) {factor=2.0} @first forward\n"
    "%c: f32[4] activation = scale(%b) {factor=3.0} @second backward\n"
    "result %c\n";

TEST(Rewrite, ReplacesOperandsAndLeavesOthers) {
  Replacements replacements;
  replacements.put(3, 7);
  std::vector<ValueId> ids = {2, 3, 3};
  replacements.apply(ids);
  EXPECT_EQ(ids, (std::vector<ValueId>{2, 7, 7}));
  EXPECT_TRUE(replacements.has(3));
  EXPECT_EQ(replacements.of(7), 7);
}

TEST(Rewrite, BuildsNodesInThePlaceOfTheNodeVisited) {
  Graph graph = parse_graph(kGraph);
  Builder build(graph);
  Replacements doubled;
  rebuild_nodes(build, [&](Node&& node) {
    doubled.apply(node.inputs);
    const ValueId made = node.outputs[0];
    graph.nodes.push_back(std::move(node));
    if (graph.value(made).name == "b") doubled.put(made, add(build, made, made));
  });
  EXPECT_EQ(diff(parse_graph(kGraph), graph),
            "- %c: f32[4] activation = scale(%b) {factor=3.0} @second backward\n"
            "+ %first/add: f32[4] activation = add(%b, %b) @first forward\n"
            "+ %c: f32[4] activation = scale(%first/add) {factor=3.0} @second backward\n");
}

TEST(Rewrite, ErasesTheMarkedNodes) {
  Graph graph = parse_graph(kGraph);
  graph.results.clear();
  erase_nodes(graph, {false, true});
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "b");
}

}  // namespace
}  // namespace headroom::testing
