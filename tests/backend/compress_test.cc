// Activations in few bits: how far the way there and back may be from the number, unbiased, and the same bits on every
// instruction set, for any cut into micro-batches.
#include <algorithm>
#include <cmath>

#include "headroom/backend/activation_blocks.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

const Array kKey = array_of(i32({4}), std::vector<double>{3, 0, 9, 0});

Attributes attributes_of(int64_t bits, int64_t features) {
  return {{"bits", bits}, {"site", int64_t{77}}, {"features", features}};
}

std::vector<Array> compress(const Array& x, int64_t bits, double first_row = 0) {
  std::vector<Array> inputs = {x};
  if (bits != 16) inputs.insert(inputs.end(), {kKey, array_of(i32({2}), std::vector<double>{first_row, 0})});
  return expect_kernels_agree("compress", inputs, attributes_of(bits, x.type().shape[1]));
}

Array there_and_back(const Array& x, int64_t bits) {
  return expect_kernels_agree("decompress", compress(x, bits), attributes_of(bits, x.type().shape[1]))[0];
}

TEST(Compress, StaysWithinAStepOfTheBlock) {
  Random random(2);
  for (const int64_t bits : {4, 8}) {
    for (const int64_t features : {1, 2, 15, 64, 127, 128, 129, 300, 384}) {
      const Array x = random.array(f32({5, features}), -3, 3);
      for (int64_t i = 0; i < features; ++i) x.set(2 * features + i, 0);
      const Array y = there_and_back(x, bits);
      for (int64_t row = 0; row < 5; ++row) {
        for (int64_t first = 0; first < features; first += kActivationBlock) {
          double largest = 0;
          const int64_t end = std::min(first + kActivationBlock, features);
          for (int64_t i = first; i < end; ++i) largest = std::max(largest, std::fabs(x.at(row * features + i)));
          const double step = largest / activation_codes(bits) * (1 + 0x1p-7);
          for (int64_t i = row * features + first; i < row * features + end; ++i) {
            ASSERT_LE(std::fabs(x.at(i) - y.at(i)), step * 1.0001)
                << bits << " bits, " << features << ", element " << i;
            ASSERT_TRUE(x.at(i) != 0 || y.at(i) == 0);
          }
        }
      }
    }
  }
}

TEST(Compress, IsUnbiased) {
  const int64_t rows = 4096;
  Random random(3);
  const Array row = random.array(f32({1, 130}));
  const Array x(f32({rows, 130}));
  for (int64_t i = 0; i < x.elements(); ++i) x.as<float>()[i] = row.as<float>()[i % 130];
  for (const int64_t bits : {4, 8}) {
    const Array y = there_and_back(x, bits);
    std::vector<double> mean(130, 0.0);
    for (int64_t i = 0; i < y.elements(); ++i) mean[static_cast<size_t>(i % 130)] += y.at(i) / rows;
    const double step = 1.0 / activation_codes(bits);  // the largest magnitude is about 1
    for (int64_t i = 0; i < 130; ++i) {
      EXPECT_NEAR(mean[static_cast<size_t>(i)], row.at(i), 5 * 0.5 * step / std::sqrt(rows)) << i;
    }
  }
}

TEST(Compress, OfABatchIsThatOfItsMicroBatches) {
  Random random(4);
  for (const int64_t bits : {4, 8, 16}) {
    const int64_t features = 172;
    const Array whole = random.array(f32({6, features}));
    const std::vector<Array> expected = compress(whole, bits);
    for (int64_t first = 0; first < 6; first += 2) {
      const Array part(f32({2, features}));
      std::copy_n(whole.as<float>() + first * features, 2 * features, part.as<float>());
      const std::vector<Array> got = compress(part, bits, static_cast<double>(first));
      for (size_t output = 0; output < got.size(); ++output) {
        const int64_t bytes = got[output].type().bytes();
        EXPECT_EQ(std::memcmp(got[output].as<char>(), expected[output].as<char>() + first / 2 * bytes,
                              static_cast<size_t>(bytes)),
                  0);
      }
    }
  }
}

TEST(Compress, RoundsToBf16ToNearest) {
  Random random(5);
  const Array x = random.array(f32({3, 37}), -100, 100);
  x.set(0, NAN);
  x.set(1, INFINITY);
  x.set(2, 0);
  const Array y = there_and_back(x, 16);
  for (int64_t i = 0; i < x.elements(); ++i) {
    EXPECT_TRUE(is_same(y.as<float>()[i], bf16_to_f32(f32_to_bf16(x.as<float>()[i])))) << i;
  }
}

// What is no number stays none: a loss that has gone wrong must not look right. Blocks too small for a scale are zeros.
TEST(Compress, KeepsNansAndEndsInZeros) {
  const Array x(f32({2, 300}), 0);
  x.set(5, NAN);
  x.set(200, INFINITY);
  for (int64_t i = 300; i < 600; ++i) x.set(i, 1e-42 * static_cast<double>(i % 3));
  for (const int64_t bits : {4, 8}) {
    const Array y = there_and_back(x, bits);
    EXPECT_TRUE(std::isnan(y.at(5)));
    EXPECT_FALSE(std::isfinite(y.at(200)));
    EXPECT_EQ(y.at(299), 0);
    for (int64_t i = 300; i < 600; ++i) ASSERT_EQ(y.at(i), 0);
  }
}

}  // namespace
}  // namespace headroom::testing
