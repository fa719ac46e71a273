#include "headroom/generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace headroom {
namespace {

constexpr int kDraws = 20000;

// How often each token comes, over as many positions.
std::vector<int> draw(const SamplingSettings& settings, const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  Sampler sampler(settings, order);
  std::vector<int> counts(logits.size());
  for (uint64_t position = 0; position < kDraws; ++position) {
    ++counts[static_cast<size_t>(sampler.pick(logits, position))];
  }
  return counts;
}

// Within five standard deviations of kDraws * probability.
void expect_share(int count, double probability) {
  EXPECT_NEAR(count, kDraws * probability, 5 * std::sqrt(kDraws * probability * (1 - probability)));
}

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3.0f);
  return logits;
}

TEST(Sampler, GreedyTakesTheLowestIdOfTheLikeliest) {
  Sampler sampler({}, {});
  EXPECT_EQ(sampler.pick(std::vector<float>{1, 5, -2, 5}, 9), 1);
  EXPECT_EQ(sampler.pick(std::vector<float>{-0.0f, 0.0f}, 9), 0);
}

TEST(Sampler, DrawsWithTheModelsOdds) {
  const std::vector<double> odds = {0.5, 0.05, 0.25, 0.2};
  const std::vector<int> counts = draw({.temperature = 1}, logits_of(odds));
  for (size_t id = 0; id < odds.size(); ++id) expect_share(counts[id], odds[id]);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  const std::vector<int> sharp = draw({.temperature = 0.5}, logits_of({0.6, 0.4}));
  expect_share(sharp[0], 0.36 / (0.36 + 0.16));
  const std::vector<int> flat = draw({.temperature = 1e9}, logits_of({0.6, 0.4}));
  expect_share(flat[0], 0.5);
  EXPECT_EQ(draw({.temperature = 1e-300}, logits_of({0.6, 0.4}))[0], kDraws);
}

TEST(Sampler, TopKKeepsTheKLikeliestWithTheirOdds) {
  const std::vector<int> counts = draw({.temperature = 1, .top_k = 2}, logits_of({0.1, 0.3, 0.2, 0.4}));
  EXPECT_EQ(counts[0] + counts[2], 0);
  expect_share(counts[1], 3.0 / 7);
  // Of equals the lowest ids stay; more than there are is all.
  EXPECT_EQ(draw({.temperature = 1, .top_k = 2}, {1, 1, 1, 1})[2], 0);
  expect_share(draw({.temperature = 1, .top_k = 99}, {1, 1, 1, 1})[3], 0.25);
}

TEST(Sampler, TopPKeepsTheFewestThatHaveTheShare) {
  const std::vector<float> logits = logits_of({0.1, 0.3, 0.2, 0.4});
  const std::vector<int> counts = draw({.temperature = 1, .top_p = 0.65}, logits);
  EXPECT_EQ(counts[0] + counts[2], 0);
  expect_share(counts[3], 4.0 / 7);
  EXPECT_EQ(draw({.temperature = 1, .top_p = 1e-9}, logits)[3], kDraws);
  // After top-k the share is one of what top-k left: 0.4 of 0.7 is more than half.
  EXPECT_EQ(draw({.temperature = 1, .top_k = 2, .top_p = 0.5}, logits)[3], kDraws);
}

TEST(Sampler, ImpossibleTokensNeverCome) {
  const float none = -std::numeric_limits<float>::infinity();
  const std::vector<int> counts = draw({.temperature = 1}, {none, 1, none, 1, none});
  EXPECT_EQ(counts[1] + counts[3], kDraws);
}

TEST(Sampler, IsAFunctionOfSeedAndPosition) {
  const std::vector<float> logits(1000, 0.0f);
  Sampler one({.temperature = 1, .seed = 5}, {});
  Sampler same({.temperature = 1, .seed = 5}, {});
  Sampler other({.temperature = 1, .seed = 6}, {});
  int differences = 0;
  for (uint64_t position = 100; position-- > 0;) {
    EXPECT_EQ(one.pick(logits, position), same.pick(logits, position));
    differences += one.pick(logits, position) != other.pick(logits, position) ? 1 : 0;
  }
  EXPECT_GT(differences, 90);
}

TEST(Sampler, RandomNumbersFillTheUnitIntervalAndStayAsTheyAre) {
  double sum = 0;
  std::set<double> seen;
  for (uint64_t position = 0; position < 10000; ++position) {
    const double unit = random_unit(0, position);
    ASSERT_TRUE(unit >= 0 && unit < 1);
    sum += unit;
    seen.insert(unit);
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.015);
  EXPECT_EQ(seen.size(), 10000u);
  // A seed means the same text for ever. From the definition, computed in Python.
  EXPECT_EQ(random_unit(0, 0), 0x1.4e0dba5e9a32fp-1);
  EXPECT_EQ(random_unit(7, 1234567), 0x1.166d0f883b56cp-2);
}

}  // namespace
}  // namespace headroom
