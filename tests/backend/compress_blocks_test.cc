// What ranks send in few bits: how far the way there and back may be from the number, and that the bytes of a part are
// a part of the bytes; the same bits on every instruction set.
#include <algorithm>
#include <cmath>
#include <limits>

#include "headroom/backend/exchange_blocks.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

const Array kBlocksKey = array_of(i32({4}), std::vector<double>{3, 0, 9, 0});

Array compressed_blocks(const Array& x, int64_t bits, bool at_random, int64_t first = 0) {
  if (!at_random) return expect_kernels_agree("compress_blocks", {x}, {{"bits", bits}})[0];
  const Attributes attributes = {{"bits", bits}, {"site", int64_t{77}}, {"first", first}};
  return expect_kernels_agree("compress_blocks", {x, kBlocksKey}, attributes)[0];
}

Array blocks_there_and_back(const Array& x, int64_t bits, bool at_random) {
  return expect_kernels_agree("decompress_blocks", {compressed_blocks(x, bits, at_random)},
                              {{"bits", bits}, {"rows", x.elements()}})[0];
}

TEST(CompressBlocks, StaysWithinAStepAndToNearestWithinAHalf) {
  Random random(2);
  for (const int64_t bits : {4, 8}) {
    for (const int64_t elements : {1, 127, 128, 1024, 1025, 3000}) {
      const Array x = random.array(f32({elements}), -3, 3);
      for (int64_t i = 128; i < std::min<int64_t>(elements, 256); ++i) x.set(i, 0);
      for (const bool at_random : {false, true}) {
        const Array y = blocks_there_and_back(x, bits, at_random);
        for (int64_t first = 0; first < elements; first += kActivationBlock) {
          const int64_t end = std::min(first + kActivationBlock, elements);
          double largest = 0;
          for (int64_t i = first; i < end; ++i) largest = std::max(largest, std::fabs(x.at(i)));
          const double step = largest / activation_codes(bits) * (1 + 0x1p-7) * 1.0001;
          for (int64_t i = first; i < end; ++i) {
            ASSERT_LE(std::fabs(x.at(i) - y.at(i)), at_random ? step : step / 2) << bits << " bits, element " << i;
          }
        }
      }
    }
  }
}

TEST(CompressBlocks, TheBytesOfAPartArePartOfTheBytes) {
  Random random(3);
  const int64_t elements = 5 * kExchangeUnit - 100;
  const Array whole = random.array(f32({elements}), -1, 1);
  for (const int64_t bits : {4, 8}) {
    for (const bool at_random : {false, true}) {
      const Array bytes = compressed_blocks(whole, bits, at_random);
      EXPECT_EQ(bytes.elements(), 5 * exchange_unit_bytes(bits));
      const int64_t first = 3 * kExchangeUnit;
      const Array part(f32({2 * kExchangeUnit}));
      for (int64_t i = 0; i < part.elements(); ++i) {
        part.as<float>()[i] = first + i < elements ? whole.as<float>()[first + i] : 0.0f;
      }
      const Array own = compressed_blocks(part, bits, at_random, first);
      const uint8_t* expected = bytes.as<uint8_t>() + 3 * exchange_unit_bytes(bits);
      EXPECT_TRUE(std::equal(expected, expected + own.elements(), own.as<uint8_t>())) << bits;
    }
  }
}

TEST(CompressBlocks, AtRandomIsUnbiased) {
  const int64_t rounds = 4096;
  Random random(4);
  const Array row = random.array(f32({128}));
  const Array x(f32({rounds * 128}));
  for (int64_t i = 0; i < x.elements(); ++i) x.as<float>()[i] = row.as<float>()[i % 128];
  const Array y = blocks_there_and_back(x, 4, true);
  std::vector<double> mean(128, 0.0);
  for (int64_t i = 0; i < y.elements(); ++i) mean[static_cast<size_t>(i % 128)] += y.at(i) / rounds;
  for (int64_t i = 0; i < 128; ++i) {
    EXPECT_NEAR(mean[static_cast<size_t>(i)], row.at(i), 5 * 0.5 / 7 / std::sqrt(rounds)) << i;
  }
}

// An overflow is one on every rank that receives it.
TEST(CompressBlocks, WhatIsNoNumberMakesItsBlockNone) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Random random(5);
    const Array x = random.array(f32({1024}), -1, 1);
    x.as<float>()[700] = bad;
    const Array y = blocks_there_and_back(x, 4, true);
    for (int64_t i = 0; i < 1024; ++i) EXPECT_EQ(std::isfinite(y.at(i)), i / 128 != 700 / 128) << i;
  }
}

TEST(DecompressBlocks, OfRowsAreRows) {
  Random random(6);
  const int64_t columns = 2 * kExchangeUnit;
  const Array x = random.array(f32({3 * columns}), -1, 1);
  const Array bytes = compressed_blocks(x, 4, true);
  const Array rows(u8({3, 2 * exchange_unit_bytes(4)}));
  std::copy(bytes.as<uint8_t>(), bytes.as<uint8_t>() + bytes.elements(), rows.as<uint8_t>());
  const Array of_rows = expect_kernels_agree("decompress_blocks", {rows},
                                             {{"bits", int64_t{4}}, {"rows", int64_t{3}}, {"columns", columns}})[0];
  const Array whole =
      expect_kernels_agree("decompress_blocks", {bytes}, {{"bits", int64_t{4}}, {"rows", 3 * columns}})[0];
  for (int64_t i = 0; i < 3 * columns; ++i) ASSERT_EQ(of_rows.at(i), whole.at(i)) << i;
}

}  // namespace
}  // namespace headroom::testing
