// The numbers of new weights: the formula written out, the same bits for any number of lanes and wherever a run
// begins and ends, and about normal.
#include "headroom/models/fill_random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace headroom::testing {
namespace {

uint64_t split_mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

float by_formula(uint64_t seed, uint64_t parameter, uint64_t element, double deviation) {
  const uint64_t gamma = 0x9e3779b97f4a7c15u;
  const uint64_t key = split_mix(seed + gamma * (parameter + 1));
  int sum = -4 * 65535;
  for (uint64_t word = 0; word < 2; ++word) {
    const uint64_t bits = split_mix(key + (2 * element + word) * gamma);
    for (int shift = 0; shift < 64; shift += 16) sum += static_cast<int>(bits >> shift & 0xffff);
  }
  return static_cast<float>(sum) * static_cast<float>(deviation / 53509.97);
}

TEST(FillRandom, IsTheFormulaForAnyNumberOfLanes) {
  for (const int lanes : {1, 4, 8}) {
    for (const int64_t first : {int64_t{0}, int64_t{13}, (int64_t{1} << 40) + 5}) {
      for (const size_t count : {0, 1, 7, 8, 9, 16, 250}) {
        std::vector<float> got(count + 1, 99.0f);
        fill_random({got.data(), count}, 5, 3, first, 0.02, lanes);
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(got[i], by_formula(5, 3, static_cast<uint64_t>(first) + i, 0.02))
              << lanes << " lanes, element " << i;
        }
        EXPECT_EQ(got[count], 99.0f) << lanes << " lanes write beyond " << count;
      }
    }
  }
}

TEST(FillRandom, IsAboutNormal) {
  std::vector<float> numbers(1'000'000);
  fill_random(numbers, 1, 2, 0, 0.5);
  double sum = 0, squares = 0, within_one = 0;
  for (const float number : numbers) {
    sum += static_cast<double>(number);
    squares += static_cast<double>(number) * static_cast<double>(number);
    within_one += std::fabs(number) < 0.5f;
  }
  EXPECT_NEAR(sum / 1e6, 0, 0.0025);  // five deviations of the mean
  EXPECT_NEAR(std::sqrt(squares / 1e6), 0.5, 0.002);
  EXPECT_NEAR(within_one / 1e6, 0.677, 0.003);  // of a sum of eight; 0.683 of normal numbers
}

}  // namespace
}  // namespace headroom::testing
