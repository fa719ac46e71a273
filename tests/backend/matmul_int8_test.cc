// matmul_int8: the reference against the definition in numbers of its own, and every instruction set against it.
#include <cmath>

#include "headroom/base/grouped_format.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

Array weight_of(const GroupedFormat& format, const Shape& shape, Random& random) {
  const Array values = random.array(f32(shape));
  const Array blocks(Type{format.dtype(), shape});
  format.encode(shape, 0, {values.as<float>(), static_cast<size_t>(values.elements())}, blocks.as<std::byte>(), {});
  format.finish(shape, blocks.as<std::byte>(), {});
  return blocks;
}

// In f64 from the decoded elements: what rounding x to 8 bits leaves.
TEST(MatmulInt8, IsTheProductOfRoundedRows) {
  Random random(1);
  const Shape shape = {33, 256};
  const GroupedFormat& format = *find_grouped(4, true, 64);
  const Array weight = weight_of(format, shape, random);
  const Array x = random.array(f32({3, 256}));
  const Array y = run_kernel(Isa::reference, "matmul_int8", {x, weight})[0];
  std::vector<float> decoded(static_cast<size_t>(shape.elements()));
  format.decode(shape, weight.as<std::byte>(), 0, shape.elements(), decoded.data());
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t n = 0; n < 33; ++n) {
      double expected = 0, magnitude = 0;
      for (int64_t g = 0; g < 256; g += 64) {
        const float* row = x.as<float>() + t * 256 + g;
        float largest = 0;
        for (int64_t k = 0; k < 64; ++k) largest = std::max(largest, std::fabs(row[k]));
        for (int64_t k = 0; k < 64; ++k) {
          const double rounded = std::nearbyint(row[k] * (127.0f / largest)) * static_cast<double>(largest / 127.0f);
          const double term = rounded * static_cast<double>(decoded[static_cast<size_t>(n * 256 + g + k)]);
          expected += term;
          magnitude += std::fabs(term);
        }
      }
      EXPECT_NEAR(static_cast<double>(y.as<float>()[t * 33 + n]), expected, 1e-6 * magnitude);
    }
  }
}

TEST(MatmulInt8, KernelsAgree) {
  Random random(2);
  for (const int bits : {2, 3, 4, 8}) {
    for (const bool zeros : {false, true}) {
      for (const int64_t group : {0, 32, 64, 128}) {
        const GroupedFormat& format = *find_grouped(bits, zeros, group);
        SCOPED_TRACE(format.name());
        for (const auto& [rows, outputs, inputs] :
             {std::array<int64_t, 3>{1, 40, 128}, {3, 33, 256}, {7, 17, 384}, {12, 49, 128}, {29, 33, 128}}) {
          expect_kernels_agree("matmul_int8",
                               {random.array(f32({rows, inputs})), weight_of(format, {outputs, inputs}, random)});
        }
      }
    }
  }
}

// More rows, panels and depth than a block has.
TEST(MatmulInt8, BlocksAgree) {
  Random random(3);
  for (const GroupedFormat* format : {find_grouped(8, true, 128), find_grouped(4, false, 32)}) {
    SCOPED_TRACE(format->name());
    expect_kernels_agree("matmul_int8", {random.array(f32({270, 640})), weight_of(*format, {70, 640}, random)});
  }
}

// The largest sums that there are, and rows that are no numbers, zero or nearly so.
TEST(MatmulInt8, EdgesAgree) {
  for (const bool zeros : {false, true}) {
    const GroupedFormat& format = *find_grouped(8, zeros, 128);
    const Shape shape = {16, 128};
    const Array weight(Type{format.dtype(), shape});
    const Array values(f32(shape));
    for (int64_t i = 0; i < 16 * 128; ++i) values.as<float>()[i] = i / 128 % 2 == 0 ? 1.0f : -1.0f;
    format.encode(shape, 0, {values.as<float>(), 16 * 128}, weight.as<std::byte>(), {});
    format.finish(shape, weight.as<std::byte>(), {});
    const Array x(f32({6, 128}));
    const float fills[] = {3.0f, -3.0f, 0.0f, 1e-35f, INFINITY, NAN};
    for (int64_t i = 0; i < 6 * 128; ++i) x.as<float>()[i] = fills[i / 128];
    const Array y = expect_kernels_agree("matmul_int8", {x, weight})[0];
    EXPECT_NEAR(y.as<float>()[0], 3 * 128, 2);
    EXPECT_EQ(y.as<float>()[2 * 16], 0.0f);
    EXPECT_EQ(y.as<float>()[3 * 16], 0.0f);
    EXPECT_TRUE(std::isnan(y.as<float>()[4 * 16]));
    EXPECT_TRUE(std::isnan(y.as<float>()[5 * 16]));
  }
}

}  // namespace
}  // namespace headroom::testing
