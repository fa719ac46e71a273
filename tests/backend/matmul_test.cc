// matmul: the reference is the chain of fused multiply-adds, and every instruction set and number of threads equals it.
#include <cmath>

#include "headroom/backend/matmul_blocks.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

Attributes transposes(int64_t a, int64_t b) { return {{"transpose_a", a}, {"transpose_b", b}}; }

Type matrix(DType dtype, int64_t rows, int64_t columns, int64_t transposed) {
  return transposed != 0 ? Type{dtype, {columns, rows}} : Type{dtype, {rows, columns}};
}

struct Layout {
  int64_t rows, columns, depth, transpose_a, transpose_b;
  DType dtype;  // of b
  bool continues;
};

// RepDL's definition of a product (arXiv 2510.09180): for each element one chain of std::fma over k, ascending.
void expect_chains(const Layout& at, Random& random) {
  const auto [rows, columns, depth, transpose_a, transpose_b, dtype, continues] = at;
  SCOPED_TRACE(fmt::format("{} x {} x {} {} {}{}{}", rows, columns, depth, name_of(dtype), transpose_a, transpose_b,
                           continues ? " continued" : ""));
  std::vector<Array> inputs = {random.array(matrix(DType::f32, rows, depth, transpose_a)),
                               random.array(matrix(dtype, depth, columns, transpose_b))};
  if (continues) inputs.push_back(random.array(f32({rows, columns})));
  const Array expected(f32({rows, columns}));
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < columns; ++n) {
      float chain = continues ? inputs[2].as<float>()[m * columns + n] : 0.0f;
      for (int64_t k = 0; k < depth; ++k) {
        chain = std::fma(inputs[0].as<float>()[transpose_a ? k * rows + m : m * depth + k],
                         static_cast<float>(inputs[1].at(transpose_b ? n * depth + k : k * columns + n)), chain);
      }
      expected.as<float>()[m * columns + n] = chain;
    }
  }
  expect_same_bits(expected, expect_kernels_agree("matmul", inputs, transposes(transpose_a, transpose_b))[0], "chain");
}

TEST(Matmul, EveryKernelIsOneChainOverTheDepth) {
  Random random(1);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t transpose_a : {0, 1}) {
      for (const int64_t transpose_b : {0, 1}) {
        for (const bool continues : {false, true}) {
          const int64_t rows = random.integer(1, 30);
          expect_chains(
              {rows, random.integer(1, 90), random.integer(1, 300), transpose_a, transpose_b, dtype, continues},
              random);
        }
      }
    }
  }
}

// Rows as in decoding, columns and depth with and without something left over by strips and tiles.
TEST(Matmul, EveryKernelIsOneChainWhenRowsAreFew) {
  Random random(6);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (int64_t rows = 1; rows <= 17; ++rows) {
      const int64_t columns = random.integer(1, 4) * 16 + (rows % 3 == 0 ? random.integer(1, 15) : 0);
      const int64_t depth = random.integer(1, 4) * 32 + (rows % 2 == 0 ? random.integer(1, 31) : 0);
      expect_chains({rows, columns, depth, 0, 1, dtype, rows % 4 == 0}, random);
    }
  }
}

// One more than the blocks of rows, of columns and of the depth.
TEST(Matmul, EveryKernelIsOneChainOverBlocks) {
  Random random(7);
  for (const int64_t transposed : {0, 1}) {
    expect_chains({kBlockRows + 1, 35, 19, transposed, transposed, DType::f32, true}, random);
    expect_chains({9, kSpanColumns + kBlockColumns + 1, 11, transposed, 1 - transposed, DType::bf16, true}, random);
    expect_chains({17, kBlockColumns + 1, 2 * kBlockDepth + 1, transposed, transposed, DType::f16, false}, random);
  }
}

// A term of a product whose factors have 16 bits: rounded factors, for bf16 without denormals.
float rounded_term(const Array& left, int64_t i, const Array& right, int64_t j, float sum) {
  const DType dtype = left.type().dtype;
  const auto rounded = [&](double value) {
    const float f = static_cast<float>(value);
    return dtype == DType::bf16 ? bf16_to_f32(f32_to_bf16(f)) : f16_to_f32(f32_to_f16(f));
  };
  const auto flushed = [&](float f) { return dtype == DType::bf16 && std::fabs(f) < 0x1p-126f ? f * 0.0f : f; };
  return flushed(std::fma(flushed(rounded(left.at(i))), flushed(rounded(right.at(j))), flushed(sum)));
}

// Of bf16 in pairs of k, the odd one first; of f16 in the order of f32. The result is rounded once, or stays f32.
TEST(Matmul, SixteenBitsAreRoundedChains) {
  Random random(8);
  for (int round = 0; round < 48; ++round) {
    const DType dtype = round % 2 == 0 ? DType::bf16 : DType::f16;
    const int64_t transpose_a = round / 2 % 2;
    const int64_t transpose_b = round / 4 % 2;
    const DType right = round / 8 % 2 == 0 ? dtype : DType::f32;
    const DType result = round % 3 == 0 ? DType::f32 : dtype;
    const int64_t rows = random.integer(1, 40);
    const int64_t columns = random.integer(1, 90);
    const int64_t depth = round < 40 ? random.integer(1, 130) : random.integer(500, 1300);
    SCOPED_TRACE(fmt::format("{} x {}, {} x {} x {} {}{}", name_of(dtype), name_of(right), rows, columns, depth,
                             transpose_a, transpose_b));
    const double range = round % 5 == 4 ? 1e-19 : 2;
    std::vector<Array> inputs = {random.array(matrix(dtype, rows, depth, transpose_a), -range, range),
                                 random.array(matrix(right, depth, columns, transpose_b), -range, range)};
    if (round % 4 == 0) inputs.push_back(random.array({result, {rows, columns}}));
    Attributes attributes = transposes(transpose_a, transpose_b);
    attributes.set("result", static_cast<int64_t>(result));
    const Array got = expect_kernels_agree("matmul", inputs, attributes)[0];
    ASSERT_EQ(got.type().dtype, result);
    const Array expected(got.type());
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < columns; ++n) {
        float sum = inputs.size() == 3 ? static_cast<float>(inputs[2].at(m * columns + n)) : 0.0f;
        for (int64_t i = 0; i < depth + depth % 2; ++i) {
          const int64_t k = dtype == DType::bf16 ? i ^ 1 : i;
          if (k >= depth) continue;  // 0 * 0 changes no number but -0
          sum = rounded_term(inputs[0], transpose_a ? k * rows + m : m * depth + k, inputs[1],
                             transpose_b ? n * depth + k : k * columns + n, sum);
        }
        expected.set(m * columns + n, static_cast<double>(sum));
      }
    }
    for (int64_t i = 0; i < got.elements(); ++i) ASSERT_EQ(got.at(i), expected.at(i)) << i;
  }
}

TEST(Matmul, SixteenBitsAgreeOverBlocksAndOnSpecialNumbers) {
  Random random(9);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Array a = random.array({dtype, {kBlockRows + 3, 35}});
    const Array b = random.array({dtype, {kRoundedColumns + 21, 35}});
    a.set(3, INFINITY);
    a.set(70, NAN);
    a.set(105, 1e-40);
    b.set(70, -INFINITY);
    b.set(105, -0.0);
    b.set(35, 3e38);
    b.set(36, 6e-8);
    expect_kernels_agree("matmul", {a, b}, transposes(0, 1));
  }
}

TEST(Matmul, KernelsAgreeOnTailsOfTilesAndBlocks) {
  Random random(3);
  for (int64_t rows = 1; rows <= 30; rows += 3) {
    const int64_t columns = random.integer(500, 530);
    const int64_t depth = random.integer(250, 262);
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, columns, depth));
    expect_kernels_agree("matmul", {random.array(f32({rows, depth})), random.array(f32({columns, depth}))},
                         transposes(0, 1));
  }
  for (int64_t columns = 1; columns <= 66; columns += 5) {
    SCOPED_TRACE(fmt::format("15 x {} x 33", columns));
    expect_kernels_agree("matmul", {random.array(f32({33, 15})), random.array(f32({33, columns}))}, transposes(1, 0));
  }
}

TEST(Matmul, KernelsAgreeOnSpecialNumbers) {
  Random random(4);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t rows : {1, 3, 20}) {
      SCOPED_TRACE(fmt::format("{} rows, {}", rows, name_of(dtype)));
      const Array a = random.array(f32({rows, 70}));
      const Array b = random.array({dtype, {35, 70}});
      a.set(3, INFINITY);
      a.set(rows * 70 - 9, NAN);
      a.set(41, 1e-40);
      b.set(0, 6e-8);  // the smallest f16
      b.set(36, -INFINITY);
      b.set(75, -0.0);
      b.set(100, 3e38);
      b.set(34 * 70 + 2, NAN);
      const Array c = expect_kernels_agree("matmul", {a, b}, transposes(0, 1))[0];
      EXPECT_TRUE(std::isnan(c.at(rows * 35 - 1)));
    }
  }
}

TEST(Matmul, EmptyDimensionsGiveZerosOrNothing) {
  for (const Array& c : expect_kernels_agree("matmul", {Array(f32({3, 0})), Array(f32({0, 5}))}, transposes(0, 0))) {
    for (int64_t i = 0; i < c.elements(); ++i) EXPECT_EQ(c.at(i), 0.0);
  }
  expect_kernels_agree("matmul", {Array(f32({0, 4})), Array(f32({4, 5}))}, transposes(0, 0));
  expect_kernels_agree("matmul", {Array(f32({3, 4})), Array(f32({4, 0}))}, transposes(0, 0));
}

TEST(Matmul, ASplitDepthContinuesToTheSameBits) {
  Random random(5);
  const Array a = random.array(f32({9, 100}));
  const Array b = random.array(f32({100, 20}));
  const auto rows_of_depth = [](const Array& from, int64_t begin, int64_t end, bool along_columns) {
    const int64_t width = from.type().shape[1];
    const Array part(along_columns ? f32({from.type().shape[0], end - begin}) : f32({end - begin, width}));
    const int64_t part_width = part.type().shape[1];
    for (int64_t i = 0; i < part.type().shape[0]; ++i) {
      for (int64_t j = 0; j < part_width; ++j) {
        part.set(i * part_width + j, along_columns ? from.at(i * width + begin + j) : from.at((begin + i) * width + j));
      }
    }
    return part;
  };
  const Isa isa = isa_of(choose_backend());
  const Array whole = run_kernel(isa, "matmul", {a, b}, transposes(0, 0))[0];
  const Array first =
      run_kernel(isa, "matmul", {rows_of_depth(a, 0, 37, true), rows_of_depth(b, 0, 37, false)}, transposes(0, 0))[0];
  const Array both = run_kernel(
      isa, "matmul", {rows_of_depth(a, 37, 100, true), rows_of_depth(b, 37, 100, false), first}, transposes(0, 0))[0];
  expect_same_bits(whole, both, "continued");
}

TEST(Matmul, WrongOperandsAreRefused) {
  const Op* op = find_op("matmul");
  const std::vector<Type> depths = {f32({3, 4}), f32({5, 6})};
  EXPECT_THROW(op->output_types(depths, transposes(0, 0)), InvalidInput);
  const std::vector<Type> ranks = {f32({3, 4}), f32({4})};
  EXPECT_THROW(op->output_types(ranks, transposes(0, 0)), InvalidInput);
  const std::vector<Type> formats = {{DType::bf16, {3, 4}}, {DType::f16, {4, 5}}};
  EXPECT_THROW(op->output_types(formats, transposes(0, 0)), InvalidInput);
  const std::vector<Type> sums = {f32({3, 4}), f32({4, 5}), f32({5, 3})};
  EXPECT_THROW(op->output_types(sums, transposes(0, 0)), InvalidInput);
}

}  // namespace
}  // namespace headroom::testing
