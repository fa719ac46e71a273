#include "headroom/passes/insert_lora.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/differentiate.h"
#include "headroom/plan/job.h"

namespace headroom {
namespace {

constexpr const char* kAdaptedForward =
    "graph step\n"
    "input %x: f32[8, 6] input\n"
    "input %q.weight: bf16[4, 6] weight\n"
    "input %o.weight: bf16[6, 4] weight\n"
    "input %loss_range: i32[2] input\n"
    "input %seed: f32[8, 6] input\n"
    "%q: f32[8, 4] activation = matmul(%x, %q.weight) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%o: f32[8, 6] activation = matmul(%q, %o.weight) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%y: f32[8, 6] activation = add(%o, %x) @layers.0 forward\n"
    "result %y\n";

const std::vector<LoraLayer> kBoth = {{"q.weight", 4, 6, 2, 1.0}, {"o.weight", 6, 4, 3, 0.5}};

TEST(InsertLora, TheProductOfLowRankIsAdded) {
  const Graph before = parse_graph(kAdaptedForward);
  const Graph after = insert_lora(before, {kBoth[1]});
  verify(after);
  EXPECT_EQ(diff(before, after),
            "+ input %base_model.model.o.lora_A.weight: f32[3, 4] weight\n"
            "+ input %base_model.model.o.lora_B.weight: f32[6, 3] weight\n"
            "- %y: f32[8, 6] activation = add(%o, %x) @layers.0 forward\n"
            "+ %layers.0/matmul: f32[8, 3] activation = matmul(%q, %base_model.model.o.lora_A.weight) "
            "{transpose_a=0, transpose_b=1} @layers.0 forward\n"
            "+ %layers.0/scale: f32[8, 3] activation = scale(%layers.0/matmul) {factor=0.5} @layers.0 forward\n"
            "+ %layers.0/matmul.1: f32[8, 6] activation = matmul(%layers.0/scale, "
            "%base_model.model.o.lora_B.weight) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
            "+ %layers.0/add: f32[8, 6] activation = add(%o, %layers.0/matmul.1) @layers.0 forward\n"
            "+ %y: f32[8, 6] activation = add(%layers.0/add, %x) @layers.0 forward\n");
}

TEST(InsertLora, DropoutScalesAndHasAPlaceOfItsOwn) {
  const Graph after = insert_lora(parse_graph(kAdaptedForward), kBoth, 0.25);
  verify(after);
  std::vector<int64_t> sites;
  for (const Node& node : after.nodes) {
    EXPECT_NE(node.op->name(), "scale");
    if (node.op->name() != "dropout") continue;
    sites.push_back(node.attributes.integer("site"));
    EXPECT_EQ(node.attributes.real("factor"), (sites.size() == 1 ? 1.0 : 0.5) / 0.75);
  }
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_NE(sites[0], sites[1]);
}

TEST(InsertLora, ALayerThatIsNotThereIsOurMistake) {
  EXPECT_THROW(insert_lora(parse_graph(kAdaptedForward), {{"k.weight", 4, 6, 2, 1.0}}), InternalError);
}

// Two products for each matrix of an adapter, one for each gradient that flows on; none of the size of a weight.
TEST(InsertLora, OnlyAdaptersHaveGradients) {
  Graph graph = insert_lora(parse_graph(kAdaptedForward), kBoth);
  const ValueId y = graph.find("y"), seed = graph.find("seed");
  graph = differentiate(std::move(graph), y, seed);
  verify(graph);
  std::vector<std::string> results;
  for (const ValueId id : graph.results) results.push_back(graph.value(id).name);
  EXPECT_EQ(results, (std::vector<std::string>{
                         "y", "base_model.model.q.lora_A.weight.gradient", "base_model.model.q.lora_B.weight.gradient",
                         "base_model.model.o.lora_A.weight.gradient", "base_model.model.o.lora_B.weight.gradient"}));
  int products = 0;
  for (const Node& node : graph.nodes) {
    if (node.phase != Phase::backward) continue;
    if (node.op->name() == "matmul") ++products;
    for (const ValueId id : node.outputs) {
      EXPECT_NE(graph.value(id).type.shape, (Shape{4, 6}));
      EXPECT_NE(graph.value(id).type.shape, (Shape{6, 4}));
    }
  }
  EXPECT_EQ(products, 4 + 4);  // dA, dB and the gradient of x A^T each; through o's weight and o's A to q
}

}  // namespace
}  // namespace headroom
