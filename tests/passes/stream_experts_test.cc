#include "headroom/passes/stream_experts.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

// Two layers of four experts of 16 x 32 and 32 x 16 numbers, of which each of three tokens goes to two.
Graph two_layers() {
  std::string text =
      "graph decode\n"
      "input %h: f32[3, 32] input\n"
      "input %logits: f32[3, 4] input\n";
  for (const char* layer : {"0", "1"}) {
    for (const char* weight : {"up: f32[4, 16, 32]", "down: f32[4, 32, 16]"}) {
      text +=
          std::string("input %") + weight[0] + layer + std::string(weight + (weight[0] == 'u' ? 2 : 4)) + " weight\n";
    }
  }
  std::string before = "%h";
  for (const std::string layer : {"0", "1"}) {
    const std::string at = " @layers." + layer + " forward\n";
    const std::string rows = "%order" + layer + ", %places" + layer + ", %begins" + layer;
    text +=
        "%choice" + layer + ": i32[3, 2] activation, %shares" + layer +
        ": f32[3, 2] activation = route(%logits) {chosen=2, group_best=1, groups=1, normalise=0, scale=1.0, scoring=0, "
        "top_groups=1}" +
        at;
    text += "%order" + layer + ": i32[6] activation, %places" + layer + ": i32[3, 2] activation, %begins" + layer +
            ": i32[5] activation = group_rows(%choice" + layer + ") {experts=4}" + at;
    text += "%shared" + layer + ": f32[3, 32] activation = scale(" + before + ") {factor=2.0}" + at;
    text += "%x" + layer + ": f32[6, 16] activation = expert_matmul(" + before + ", " + rows + ", %u" + layer +
            ") {of_tokens=1, transpose=1}" + at;
    text += "%y" + layer + ": f32[6, 32] activation = expert_matmul(%x" + layer + ", " + rows + ", %d" + layer +
            ") {of_tokens=0, transpose=1}" + at;
    text += "%z" + layer + ": f32[3, 32] activation = combine_rows(%y" + layer + ", %places" + layer + ", %shares" +
            layer + ")" + at;
    text += "%h" + layer + ": f32[3, 32] activation = add(%z" + layer + ", %shared" + layer + ")" + at;
    before = "%h" + layer;
  }
  return parse_graph(text + "result " + before + "\n");
}

TEST(StreamExperts, ReadsWhatALayersTokensNeedIntoSlotsThatAllLayersShare) {
  const Graph before = two_layers();
  verify(before);
  const StreamedExperts found = find_streamed_experts(before, {"u0", "d0", "u1", "d1"});
  EXPECT_EQ(found.layers, 2);
  EXPECT_EQ(found.all(), 8);
  EXPECT_EQ(found.record_bytes, 2 * 4096);  // two matrices of half a page each
  EXPECT_EQ(found.most, 4);
  const Graph after = stream_experts(before, {"u0", "d0", "u1", "d1"}, 5);
  verify(after);
  std::vector<std::string> ops;
  for (const Node& node : after.nodes) ops.emplace_back(node.op->name());
  const std::vector<std::string> layer = {"route",       "group_rows",  "fetch_experts", "scale", "fetched_experts",
                                          "slot_matmul", "slot_matmul", "combine_rows",  "add"};
  std::vector<std::string> expected = layer;
  expected.insert(expected.end(), layer.begin(), layer.end());
  EXPECT_EQ(ops, expected);
  EXPECT_EQ(after.value(after.find("u1")).tier, Tier::model);
  EXPECT_EQ(after.value(after.find(kExpertSlots)).type, (Type{DType::u8, {5, 8192}}));
  ASSERT_EQ(after.carries.size(), 1u);
  EXPECT_EQ(after.value(after.carries[0].input).name, kExpertSlots);
}

TEST(StreamExperts, LeavesAGraphWithoutThemAsItIs) {
  const Graph before = two_layers();
  EXPECT_EQ(to_text(stream_experts(before, {"none"}, 5)), to_text(before));
}

}  // namespace
}  // namespace headroom
