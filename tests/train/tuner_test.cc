#include "headroom/train/tuner.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace headroom {
namespace {

// A job made of numbers: each level of each lever adds seconds and takes bytes away; plans lie a little above bounds.
class RandomPricing final : public Pricing {
 public:
  RandomPricing(std::mt19937& random, std::vector<LevelRange> ranges) : levers(std::move(ranges)) {
    std::uniform_int_distribution<int64_t> bytes(0, 40);
    std::uniform_int_distribution<int> milliseconds(1, 30);
    for (const LevelRange& range : levers) {
      std::vector<int64_t> saved = {0};
      std::vector<double> lost = {0};
      for (int level = 1; level < range.levels; ++level) {
        // What is not graded may also take more than the level before it.
        saved.push_back(saved.back() + bytes(random) - (range.graded ? 0 : 15));
        lost.push_back(lost.back() + milliseconds(random));
      }
      saved_.push_back(saved);
      lost_.push_back(lost);
    }
    gap_ = bytes(random) / 10;
  }

  bool exists(const Choice& way) const override { return way[0] + way[1] < 4; }

  double seconds(const Choice& way) const {
    double sum = 100;
    for (size_t i = 0; i < way.size(); ++i) sum += lost_[i][static_cast<size_t>(way[i])];
    return sum;
  }

  void for_each_way(const std::function<void(const Choice&)>& visit) const {
    Choice way(levers.size(), 0);
    for (;;) {
      if (exists(way)) visit(way);
      size_t lever = 0;
      while (lever < way.size() && ++way[lever] == levers[lever].levels) way[lever++] = 0;
      if (lever == way.size()) return;
    }
  }

  std::vector<LevelRange> levers;
  int estimates = 0;
  int plans = 0;

 private:
  Estimate find_estimate(const Choice& way) override {
    ++estimates;
    return {seconds(way), least(way)};
  }
  int64_t find_exact_bytes(const Choice& way) override {
    ++plans;
    return least(way) + gap_;
  }
  int64_t least(const Choice& way) const {
    int64_t sum = 1000;
    for (size_t i = 0; i < way.size(); ++i) sum -= saved_[i][static_cast<size_t>(way[i])];
    return sum;
  }

  std::vector<std::vector<int64_t>> saved_;
  std::vector<std::vector<double>> lost_;
  int64_t gap_ = 0;
};

std::vector<LevelRange> some_levers(std::mt19937& random, bool two_graded) {
  std::uniform_int_distribution<int> few(1, 4);
  std::vector<LevelRange> levers = {{few(random), false}, {few(random), false}, {few(random) * 4, true}};
  if (two_graded) levers.push_back({few(random) * 2, true});
  return levers;
}

TEST(Tuner, WithOneGradedLeverNoWayIsFaster) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    RandomPricing job(random, some_levers(random, false));
    for (int64_t budget = 700; budget < 1030; budget += 11) {
      double fastest = 1e9;
      job.for_each_way([&](const Choice& way) {
        if (job.exact_bytes(way) <= budget) fastest = std::min(fastest, job.seconds(way));
      });
      const Tuned tuned = tune(job.levers, job, budget);
      ASSERT_EQ(tuned.choice.has_value(), fastest < 1e9) << "budget " << budget;
      if (tuned.choice) {
        EXPECT_LE(job.exact_bytes(*tuned.choice), budget);
        EXPECT_EQ(job.seconds(*tuned.choice), fastest);
      }
    }
  }
}

TEST(Tuner, WithTwoGradedLeversWhatIsTakenFitsAndIsAlmostTheFastest) {
  std::mt19937 random(2);
  double lost = 0;
  int count = 0;
  for (int round = 0; round < 200; ++round) {
    RandomPricing job(random, some_levers(random, true));
    for (int64_t budget = 700; budget < 1030; budget += 30) {
      double fastest = 1e9;
      job.for_each_way([&](const Choice& way) {
        if (job.exact_bytes(way) <= budget) fastest = std::min(fastest, job.seconds(way));
      });
      const Tuned tuned = tune(job.levers, job, budget);
      ASSERT_EQ(tuned.choice.has_value(), fastest < 1e9) << "budget " << budget;
      if (!tuned.choice) continue;
      EXPECT_LE(job.exact_bytes(*tuned.choice), budget);
      lost += job.seconds(*tuned.choice) / fastest - 1;
      ++count;
    }
  }
  EXPECT_LT(lost / count, 0.02);
}

TEST(Tuner, TheSmallestBudgetWorksAndNoneLess) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    RandomPricing job(random, some_levers(random, true));
    const Tuned refused = tune(job.levers, job, 1);
    ASSERT_FALSE(refused.choice);
    EXPECT_EQ(job.exact_bytes(refused.leanest), refused.smallest_bytes);
    for (const int64_t above : {0, 1, 7, 50, 500})
      EXPECT_TRUE(tune(job.levers, job, refused.smallest_bytes + above).choice);
    EXPECT_FALSE(tune(job.levers, job, refused.smallest_bytes - 1).choice);
  }
}

TEST(Tuner, CombinationsThatTakeLongerAreGivenUpEarly) {
  std::mt19937 random(5);
  int estimates = 0;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    RandomPricing job(random, {{2, false}, {4, false}, {18, true}, {34, true}});
    RandomPricing fresh = job;
    const Tuned refused = tune(job.levers, job, 1);
    tune(fresh.levers, fresh, (refused.smallest_bytes + 1000) / 2);
    estimates += fresh.estimates;
  }
  EXPECT_LT(estimates, 95 * kRounds);
}

TEST(Tuner, AnAmpleBudgetTakesEveryFirstLevelAndIsFoundAtOnce) {
  std::mt19937 random(4);
  RandomPricing job(random, {{2, false}, {2, false}, {33, true}});
  EXPECT_EQ(tune(job.levers, job, 1 << 20).choice, (Choice{0, 0, 0}));
  EXPECT_EQ(job.plans, 1);
  EXPECT_LE(job.estimates, 4);
}

}  // namespace
}  // namespace headroom
