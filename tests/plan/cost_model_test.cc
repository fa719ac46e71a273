#include "headroom/plan/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "headroom/graph/text.h"

namespace headroom {
namespace {

MachineRates plain_rates() {
  return {.flops_per_second = 1e11, .bytes_per_second = 1e10, .node_seconds = 1e-6, .samples = {}, .source = "a test"};
}

TEST(CostModel, ANodeTakesTheSlowerOfItsTwoLimits) {
  const Op& op = *find_op("matmul");
  const MachineRates rates = plain_rates();
  const double bound_by_flops = seconds_of(op, DType::f32, {.flops = 1e10, .bytes = 1e6}, rates);
  EXPECT_DOUBLE_EQ(seconds_of(op, DType::f32, {.flops = 1e10, .bytes = 2e8}, rates), bound_by_flops);
  EXPECT_GT(seconds_of(op, DType::f32, {.flops = 1e10, .bytes = 2e10}, rates), 10 * bound_by_flops);
  EXPECT_GT(bound_by_flops, 0.1);
  EXPECT_EQ(seconds_of(op, DType::f32, {}, rates), rates.node_seconds);
}

TEST(CostModel, SamplesOfTheOpDecideAndTheClosestMost) {
  const Op& op = *find_op("matmul");
  MachineRates rates = plain_rates();
  // Large products reach nine tenths of the limit, small ones a tenth; another op does not matter.
  rates.samples = {{"add", DType::f32, {1e6, 1e6}, 1.0},
                   {"matmul", DType::f32, {1e10, 1e7}, 0.1 / 0.9},
                   {"matmul", DType::f32, {1e6, 1e5}, 1e-5 / 0.1}};
  EXPECT_NEAR(seconds_of(op, DType::f32, {1e10, 1e7}, rates), 0.1 / 0.9, 1e-3);
  EXPECT_NEAR(seconds_of(op, DType::f32, {1e6, 1e5}, rates), 1e-4, 3e-6);
  EXPECT_NEAR(seconds_of(op, DType::f32, {2e10, 1.5e7}, rates), 0.2 / 0.9, 0.01);
  const double between = seconds_of(op, DType::f32, {1e8, 1e6}, rates);
  EXPECT_GT(between, 1e-3 / 0.9);
  EXPECT_LT(between, 1e-3 / 0.1);
}

TEST(CostModel, SamplesOfTheOperandsFormatDecideWhereThereAreAny) {
  const Op& op = *find_op("matmul");
  MachineRates rates = plain_rates();
  rates.samples = {{"matmul", DType::f32, {1e10, 1e7}, 0.11}, {"matmul", DType::bf16, {1e10, 1e7}, 0.04}};
  EXPECT_NEAR(seconds_of(op, DType::f32, {1e10, 1e7}, rates), 0.11, 1e-3);
  EXPECT_NEAR(seconds_of(op, DType::bf16, {1e10, 1e7}, rates), 0.04, 1e-3);
  EXPECT_NEAR(seconds_of(op, DType::f16, {1e10, 1e7}, rates), 0.04, 1e-3);  // as many bits as bf16
}

TEST(CostModel, WithoutSamplesProductsOfBf16HaveALimitOfTheirOwn) {
  const Graph graph = parse_graph(
      "graph step\n"
      "input %x: bf16[512, 512] input\n"
      "input %w: f32[512, 512] weight\n"
      "%y: bf16[512, 512] activation = matmul(%x, %w) {transpose_a=0, transpose_b=0} forward\n"
      "result %y\n");
  MachineRates rates = plain_rates();
  const double as_f32 = seconds_of(graph, rates) - rates.node_seconds;
  rates.bf16_flops_per_second = 2 * rates.flops_per_second;
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates) - rates.node_seconds, as_f32 / 2);
}

TEST(CostModel, AGraphIsTheSumOfItsNodes) {
  const Graph graph = parse_graph(
      "graph step\n"
      "input %x: f32[512, 512] input\n"
      "%y: f32[512, 512] activation = matmul(%x, %x) {transpose_a=0, transpose_b=0} forward\n"
      "%z: f32[512, 512] activation = add(%x, %y) forward\n"
      "result %z\n");
  const MachineRates rates = typical_rates(2);
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates),
                   seconds_of(graph, graph.nodes[0], rates) + seconds_of(graph, graph.nodes[1], rates));
  EXPECT_GT(seconds_of(graph, graph.nodes[0], typical_rates(1)), seconds_of(graph, graph.nodes[0], rates));
}

// 1,000 of 2,000 elements to the other of two ranks, beside a product that takes a millisecond or so.
Graph gather_beside_a_product() {
  return parse_graph(
      "graph step\n"
      "input %x: f32[512, 512] input\n"
      "input %p: f32[1024] weight\n"
      "%b: f32[2048] staging = gather(%p) {ranks=2, rows=2048, unit=1024} forward\n"
      "%y: f32[512, 512] activation = matmul(%x, %x) {transpose_a=0, transpose_b=0} forward\n"
      "%w: f32[2048] staging = gathered(%b, %p) forward\n"
      "result %y\n"
      "result %w\n");
}

TEST(CostModel, ATransferCostsWhatGoesOnAfterTheComputationBesideIt) {
  const Graph graph = gather_beside_a_product();
  MachineRates rates = plain_rates();
  const double product = seconds_of(graph, graph.nodes[1], rates);
  EXPECT_DOUBLE_EQ(seconds_on_lane(graph, Lane::compute, rates), product);
  rates.network_bytes_per_second = 4096 / (0.5 * product);
  EXPECT_DOUBLE_EQ(seconds_on_lane(graph, Lane::network, rates), 0.5 * product);
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates), product);
  rates.network_bytes_per_second = 4096 / (3 * product);
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates), 3 * product);
  rates.network_exchange_seconds = 0.5 * product;
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates), 3.5 * product);
}

TEST(CostModel, ATransferThatTheProcessorCopiesIsNotHidden) {
  const Graph graph = gather_beside_a_product();
  MachineRates rates = plain_rates();
  const double product = seconds_of(graph, graph.nodes[1], rates);
  rates.network_bytes_per_second = 4096 / (0.5 * product);
  rates.network_processor_share = 1;
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates), 1.5 * product);
  rates.network_processor_share = 0.5;
  EXPECT_DOUBLE_EQ(seconds_of(graph, rates), 1.25 * product);
}

TEST(CostModel, ALinkServesOneTransferAfterTheOther) {
  const Graph graph = parse_graph(
      "graph step\n"
      "input %p: f32[1024] weight\n"
      "input %q: f32[1024] weight\n"
      "%a: f32[2048] staging = gather(%p) {ranks=2, rows=2048, unit=1024} forward\n"
      "%b: f32[2048] staging = gather(%q) {ranks=2, rows=2048, unit=1024} forward\n"
      "%x: f32[2048] staging = gathered(%a, %p) forward\n"
      "%y: f32[2048] staging = gathered(%b, %q) forward\n"
      "result %x\n"
      "result %y\n");
  MachineRates rates = plain_rates();
  rates.network_bytes_per_second = 4096;
  for (const double share : {0.0, 0.5, 1.0}) {
    rates.network_processor_share = share;
    EXPECT_DOUBLE_EQ(seconds_of(graph, rates), 2);
  }
}

}  // namespace
}  // namespace headroom
