#include "headroom/passes/fetch_panels.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/rows_from_host.h"

namespace headroom {
namespace {

const char* const kStepWithVocabulary =
    "graph decode\n"
    "input %decode.tokens: i32[2] input\n"
    "input %table: bf16[2500, 64] weight\n"
    "input %w: bf16[64, 64] weight\n"
    "input %head: bf16[2500, 64] weight\n"
    "%x: f32[2, 64] activation = embedding(%table, %decode.tokens) @embedding forward\n"
    "%y: f32[2, 64] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%logits: f32[2, 2500] activation = matmul(%y, %head) {transpose_a=0, transpose_b=1} @head forward\n"
    "result %logits\n";

TEST(FetchPanels, AProductWithALargeWeightIsOneOfPanelsSideBySide) {
  const Graph before = parse_graph(kStepWithVocabulary);
  const Graph after = fetch_panels(before, {"head", "w"}, 1 << 17);
  verify(after);
  EXPECT_EQ(after.value(after.find("head")).tier, Tier::model);
  EXPECT_EQ(after.value(after.find("w")).tier, Tier::device);  // it is one panel
  EXPECT_EQ(after.value(after.results[0]).name, "logits");
  int products = 0;
  std::vector<int64_t> rows;
  for (const Node& node : after.nodes) {
    if (node.op->name() == "fetch") rows.push_back(node.attributes.integer("rows"));
    products += node.op->name() == "matmul" ? 1 : 0;
  }
  EXPECT_EQ(rows, (std::vector<int64_t>{1024, 1024, 452}));
  EXPECT_EQ(products, 4);
}

TEST(FetchPanels, ALossHeadGoesOnFromPanelToPanelOverWholeTiles) {
  const Graph before = parse_graph(
      "graph evaluation\n"
      "input %h: f32[5, 64] activation\n"
      "input %targets: i32[5] input\n"
      "input %head: bf16[9000, 64] weight\n"
      "%losses: f32[5] activation, %lse: f32[5] activation = linear_cross_entropy(%h, %head, %targets) @head forward\n"
      "result %losses\n");
  const Graph after = fetch_panels(before, {"head"}, 1 << 10);
  verify(after);
  EXPECT_EQ(after.value(after.find("head")).tier, Tier::model);
  EXPECT_EQ(after.value(after.results[0]).name, "losses");
  std::vector<int64_t> rows;
  std::vector<std::string_view> ops;
  for (const Node& node : after.nodes) {
    if (node.op->name() == "fetch") {
      rows.push_back(node.attributes.integer("rows"));
    } else if (node.op->name() != "fetched") {
      ops.push_back(node.op->name());
    }
  }
  EXPECT_EQ(rows, (std::vector<int64_t>{4096, 4096, 808}));
  const std::string_view panel = "linear_cross_entropy_panel";
  EXPECT_EQ(ops, (std::vector<std::string_view>{panel, panel, panel, "linear_cross_entropy_of_panels"}));
}

TEST(FetchPanels, NothingIsDoneForWeightsThatAreNotNamedOrFit) {
  const Graph before = parse_graph(kStepWithVocabulary);
  EXPECT_EQ(to_text(fetch_panels(before, {"w"}, 1 << 10)), to_text(before));
  EXPECT_EQ(to_text(fetch_panels(before, {"head"}, 1 << 20)), to_text(before));
}

TEST(RowsFromHost, TakeThePlaceOfTheTableAndItsIds) {
  const Graph before = parse_graph(kStepWithVocabulary);
  const Graph after = rows_from_host(before, "table");
  verify(after);
  const ValueId rows = after.find("decode.tokens.rows");
  ASSERT_NE(rows, kNoValue);
  EXPECT_EQ(after.value(rows).type, f32({2, 64}));
  EXPECT_EQ(after.nodes.size(), before.nodes.size() - 1);
  for (const ValueId id : after.inputs) {
    EXPECT_NE(after.value(id).name, "table");
    EXPECT_NE(after.value(id).name, "decode.tokens");
  }
}

TEST(RowsFromHost, OfAReferenceHaveANameOfTheirOwn) {
  const Graph after = rows_from_host(parse_graph(kStepWithVocabulary), "table", "reference.");
  EXPECT_NE(after.find("reference.decode.tokens.rows"), kNoValue);
}

TEST(RowsFromHost, ATableThatAnotherNodeReadsStays) {
  const Graph before = parse_graph(
      "graph decode\n"
      "input %decode.tokens: i32[2] input\n"
      "input %table: f32[100, 64] weight\n"
      "%x: f32[2, 64] activation = embedding(%table, %decode.tokens) @embedding forward\n"
      "%logits: f32[2, 100] activation = matmul(%x, %table) {transpose_a=0, transpose_b=1} @head forward\n"
      "result %logits\n");
  const Graph after = rows_from_host(before, "table");
  verify(after);
  EXPECT_NE(std::find_if(after.inputs.begin(), after.inputs.end(),
                         [&](ValueId id) { return after.value(id).name == "table"; }),
            after.inputs.end());
}

}  // namespace
}  // namespace headroom
