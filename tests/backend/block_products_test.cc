// Products with a weight in a block format, rows of a table and the loss head: the bits of the same on the decoded
// weight.
#include "tests/backend/block_weights.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

Attributes transposes(int64_t b) { return {{"transpose_a", int64_t{0}}, {"transpose_b", b}}; }

std::vector<std::string> every_format() {
  std::vector<std::string> names = {"nf4",         "int8",           "q8_0",         "q4_0",         "q4_1",
                                    "q5_0",        "q5_1",           "q2_k",         "q3_k",         "q4_k",
                                    "q5_k",        "q6_k",           "iq4_nl",       "iq4_xs",       "mxfp4",
                                    "float8_b128", "float8_channel", "ordered4_g32", "ordered3_g128"};
  for (const int bits : {2, 3, 4, 8}) {
    for (const char* kind : {"int", "uint"}) {
      for (const char* group : {"g32", "g64", "g128", "channel"}) {
        names.push_back(fmt::format("{}{}_{}", kind, bits, group));
      }
    }
  }
  return names;
}

class BlockProducts : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Formats, BlockProducts, ::testing::ValuesIn(every_format()),
                         [](const auto& format) { return format.param; });

TEST_P(BlockProducts, AreThoseOfTheDecodedWeight) {
  Random random(1);
  for (const auto& [rows, outputs, inputs] :
       {std::array<int64_t, 3>{1, 40, 128}, {3, 17, 384}, {8, 33, 128}, {20, 70, 640}, {1, 40, 512}, {20, 17, 768}}) {
    if (inputs % find_block_format(GetParam())->block_elements({outputs, inputs}) != 0) continue;
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, outputs, inputs));
    const Weight weight = weight_of(GetParam(), {outputs, inputs}, random);
    for (const int64_t transposed : {1, 0}) {
      const Array x = random.array(f32({rows, transposed != 0 ? inputs : outputs}));
      const Array expected = run_kernel(Isa::reference, "matmul", {x, weight.decoded}, transposes(transposed))[0];
      expect_same_bits(expected, expect_kernels_agree("matmul", {x, weight.blocks}, transposes(transposed))[0],
                       GetParam());
      const Array sum = random.array(expected.type());
      expect_same_bits(run_kernel(Isa::reference, "matmul", {x, weight.decoded, sum}, transposes(transposed))[0],
                       expect_kernels_agree("matmul", {x, weight.blocks, sum}, transposes(transposed))[0], "continued");
    }
  }
}

// Blocks that begin within a row, as those of NF4 do.
TEST(BlockProductsOfOddRows, AreThoseOfTheDecodedWeight) {
  Random random(2);
  for (const char* name : {"nf4", "int8"}) {
    const Weight weight = weight_of(name, {23, 77}, random);
    const Array x = random.array(f32({5, 77}));
    expect_same_bits(run_kernel(Isa::reference, "matmul", {x, weight.decoded}, transposes(1))[0],
                     expect_kernels_agree("matmul", {x, weight.blocks}, transposes(1))[0], name);
  }
}

// Tables and loss heads of some formats: each kind of decoding, with and without zeros, by groups and by channels.
class BlockTables : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Formats, BlockTables,
                         ::testing::Values("nf4", "int8", "q8_0", "q5_1", "q4_k", "q6_k", "int4_g32", "uint3_g64",
                                           "int8_channel"),
                         [](const auto& format) { return format.param; });

TEST_P(BlockTables, RowsOfATableAreItsDecodedRows) {
  Random random(3);
  const Weight table = weight_of(GetParam(), {50, 768}, random);
  const Array ids(i32({4}));
  for (int32_t i = 0; i < 4; ++i) ids.as<int32_t>()[i] = (i * 49) % 50;
  expect_same_bits(run_kernel(Isa::reference, "embedding", {table.decoded, ids})[0],
                   expect_kernels_agree("embedding", {table.blocks, ids})[0], GetParam());
}

TEST_P(BlockTables, TheLossHeadReadsThem) {
  Random random(4);
  const Weight weight = weight_of(GetParam(), {150, 256}, random);
  const Array x = random.array(f32({6, 256}));
  const Array targets(i32({6}));
  for (int32_t t = 0; t < 6; ++t) targets.as<int32_t>()[t] = t * 29;
  const Array scale(f32({1}));
  scale.as<float>()[0] = 0.5f;
  const auto losses = run_kernel(Isa::reference, "linear_cross_entropy", {x, weight.decoded, targets});
  expect_same_bits(losses[0], expect_kernels_agree("linear_cross_entropy", {x, weight.blocks, targets})[0], "loss");
  const Attributes frozen = {{"frozen", int64_t{1}}};
  const std::vector<Array> backward = {x, weight.decoded, targets, losses[1], scale};
  const std::vector<Array> by_blocks = {x, weight.blocks, targets, losses[1], scale};
  expect_same_bits(run_kernel(Isa::reference, "linear_cross_entropy_backward", backward, frozen)[0],
                   expect_kernels_agree("linear_cross_entropy_backward", by_blocks, frozen)[0], "dx");
  expect_same_bits(
      run_kernel(Isa::reference, "linear_cross_entropy_with_gradients", {x, weight.decoded, targets, scale}, frozen)[0],
      expect_kernels_agree("linear_cross_entropy_with_gradients", {x, weight.blocks, targets, scale}, frozen)[0],
      "dx at once");
}

}  // namespace
}  // namespace headroom::testing
