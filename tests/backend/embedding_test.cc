// Embedding and both modes of its backward, against sums written out in f64.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr DType kWeightFormats[] = {DType::f32, DType::bf16, DType::f16};

Attributes backward_attributes(int64_t rows, bool add) { return {{"rows", rows}, {"add", int64_t{add}}}; }

TEST(Embedding, CopiesRowsOfEveryFormat) {
  Random random(1);
  for (const DType format : kWeightFormats) {
    const Array table = random.array({format, {37, 21}});
    const Array ids = random.integers(i32({13}), 0, 36);
    const std::vector<Array> got = expect_kernels_agree("embedding", {table, ids});
    for (int64_t i = 0; i < got[0].elements(); ++i) {
      EXPECT_EQ(got[0].at(i), table.at(ids.as<int32_t>()[i / 21] * 21 + i % 21));
    }
  }
}

TEST(EmbeddingBackward, AddsTheTokensOfEachRow) {
  Random random(2);
  const Array ids = random.integers(i32({50}), 0, 8);  // rows 9 to 11 get no token
  const Array dy = random.array(f32({50, 35}));
  std::vector<double> expected(12 * 35, 0.0);
  for (int64_t i = 0; i < dy.elements(); ++i) {
    expected[static_cast<size_t>(ids.as<int32_t>()[i / 35] * 35 + i % 35)] += dy.at(i);
  }
  expect_close(expect_kernels_agree("embedding_backward", {ids, dy}, backward_attributes(12, false))[0], expected, 1e-6,
               "without a sum");

  const Array sum = random.array(f32({12, 35}));
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += sum.at(static_cast<int64_t>(i));
  for (const bool add : {false, true}) {
    expect_close(expect_kernels_agree("embedding_backward", {ids, dy, sum}, backward_attributes(12, add))[0], expected,
                 1e-6, "onto a last input");
  }
}

// What gradient accumulation relies on: two halves of a batch, the second continuing the first, have the whole's bits.
TEST(EmbeddingBackward, ContinuesASumWithTheBitsOfTheWhole) {
  Random random(3);
  const Array ids = random.integers(i32({40}), 0, 5);
  const Array dy = random.array(f32({40, 7}));
  const auto half = [&](int64_t first) {
    const Array part_ids(i32({20})), part_dy(f32({20, 7}));
    for (int64_t i = 0; i < 20; ++i) part_ids.set(i, ids.at(20 * first + i));
    for (int64_t i = 0; i < 140; ++i) part_dy.set(i, dy.at(140 * first + i));
    return std::vector<Array>{part_ids, part_dy};
  };
  const Attributes attributes = backward_attributes(6, false);
  const Array whole = run_kernel(Isa::reference, "embedding_backward", {ids, dy}, attributes)[0];
  std::vector<Array> second = half(1);
  second.push_back(run_kernel(Isa::reference, "embedding_backward", half(0), attributes)[0]);
  expect_same_bits(whole, run_kernel(Isa::reference, "embedding_backward", second, attributes)[0], "two halves");
}

TEST(EmbeddingBackward, AddCompletesEachChainFirst) {
  const Array ids = array_of(i32({3}), std::vector<int>{1, 1, 1});
  const Array dy = array_of(f32({3, 1}), std::vector<float>{1, 1, 1});
  const Array base = array_of(f32({3, 1}), std::vector<float>{-0.0f, 0x1p25f, -0.0f});
  const std::vector<Array> chained =
      expect_kernels_agree("embedding_backward", {ids, dy, base}, backward_attributes(3, false));
  EXPECT_EQ(chained[0].at(1), 0x1p25);  // each 1 is lost
  const std::vector<Array> added =
      expect_kernels_agree("embedding_backward", {ids, dy, base}, backward_attributes(3, true));
  EXPECT_EQ(added[0].at(1), 0x1p25 + 4);  // 3 is not (spacing 4)
  EXPECT_TRUE(std::signbit(added[0].at(0))) << "a row without a token keeps its bits";
}

}  // namespace
}  // namespace headroom::testing
