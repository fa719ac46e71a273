// Which experts stay in slots: against a plain count of what a stream of needs reads.
#include "headroom/runtime/expert_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>
#include <set>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

using Needs = std::set<int>;

std::vector<int32_t> begins_of(const Needs& needs, int experts) {
  std::vector<int32_t> begins = {0};
  for (int e = 0; e < experts; ++e) begins.push_back(begins.back() + (needs.contains(e) ? 1 : 0));
  return begins;
}

// Layers in turn, experts chosen with popularities that fall like 1 / rank, other ones in each layer.
std::vector<Needs> skewed_needs(int steps, int layers, int experts, int chosen, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<int>> ranks(static_cast<size_t>(layers));
  for (std::vector<int>& rank : ranks) {
    for (int e = 0; e < experts; ++e) rank.push_back(e);
    std::shuffle(rank.begin(), rank.end(), random);
  }
  std::vector<double> weights;
  for (int r = 0; r < experts; ++r) weights.push_back(1.0 / (r + 1));
  std::discrete_distribution<int> popular(weights.begin(), weights.end());
  std::vector<Needs> needs;
  for (int i = 0; i < steps * layers; ++i) {
    Needs one;
    while (static_cast<int>(one.size()) < chosen)
      one.insert(ranks[static_cast<size_t>(i % layers)][static_cast<size_t>(popular(random))]);
    needs.push_back(std::move(one));
  }
  return needs;
}

double hits_of_least_recently_used(const std::vector<Needs>& needs, int layers, size_t slots) {
  std::list<std::pair<int, int>> held;
  int64_t hits = 0, all = 0;
  for (size_t i = 0; i < needs.size(); ++i) {
    for (const int e : needs[i]) {
      const std::pair<int, int> expert = {static_cast<int>(i) % layers, e};
      const auto found = std::find(held.begin(), held.end(), expert);
      if (found != held.end()) held.erase(found);
      hits += found != held.end() ? 1 : 0;
      ++all;
      held.push_front(expert);
      if (held.size() > slots) held.pop_back();
    }
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

TEST(ExpertCache, KeepsItsTableTrueAndNeverReadsWhatIsThere) {
  constexpr int kLayers = 3, kExperts = 8, kSlots = 7;
  ExpertCache cache({"a", "b", "c"}, kExperts, kSlots);
  std::vector<std::pair<int, int>> held(kSlots, {-1, -1});
  std::vector<int32_t> table(kExperts);
  const std::vector<Needs> needs = skewed_needs(200, kLayers, kExperts, 3, 1);
  for (size_t i = 0; i < needs.size(); ++i) {
    const int layer = static_cast<int>(i) % kLayers;
    std::set<int> read;
    for (const ExpertCache::Read& one : cache.take(layer, begins_of(needs[i], kExperts).data(), table.data())) {
      EXPECT_TRUE(read.insert(one.expert).second);
      EXPECT_NE(held[static_cast<size_t>(one.slot)], std::pair(layer, int{one.expert}));
      held[static_cast<size_t>(one.slot)] = {layer, one.expert};
    }
    for (int e = 0; e < kExperts; ++e) {
      const int32_t slot = table[static_cast<size_t>(e)];
      ASSERT_EQ(slot >= 0, needs[i].contains(e));
      if (slot < 0) continue;
      EXPECT_EQ(held[static_cast<size_t>(slot)], std::pair(layer, e));
    }
  }
  EXPECT_EQ(cache.needed(), 200 * kLayers * 3);
  EXPECT_LT(cache.read(), cache.needed());
}

TEST(ExpertCache, KeepsMoreOfASkewedRouterThanWhatWasUsedLast) {
  constexpr int kLayers = 8, kExperts = 32, kChosen = 4;
  const std::vector<Needs> needs = skewed_needs(400, kLayers, kExperts, kChosen, 2);
  std::vector<int32_t> table(kExperts);
  for (const int slots : {8, 16, 32, 48, 64, 96, 128, 192}) {
    ExpertCache cache(std::vector<std::string>(kLayers, "layer"), kExperts, slots);
    for (size_t i = 0; i < needs.size(); ++i) {
      cache.take(static_cast<int64_t>(i) % kLayers, begins_of(needs[i], kExperts).data(), table.data());
    }
    const double hits = 1 - static_cast<double>(cache.read()) / static_cast<double>(cache.needed());
    const double least = hits_of_least_recently_used(needs, kLayers, static_cast<size_t>(slots));
    RecordProperty("slots_" + std::to_string(slots), std::to_string(hits) + " against " + std::to_string(least));
    EXPECT_GE(hits, least + (slots < 192 ? 0.03 : 0.0)) << slots << " slots: " << hits << " against " << least;
  }
}

TEST(ExpertCache, HoldsNothingWhenItWasCleared) {
  ExpertCache cache({"a"}, 4, 4);
  std::vector<int32_t> table(4);
  const std::vector<int32_t> all = {0, 1, 2, 3, 4};
  EXPECT_EQ(cache.take(0, all.data(), table.data()).size(), 4u);
  EXPECT_EQ(cache.take(0, all.data(), table.data()).size(), 0u);
  cache.clear();
  EXPECT_EQ(cache.take(0, all.data(), table.data()).size(), 4u);
  ExpertCache small({"a"}, 4, 3);
  EXPECT_THROW(small.take(0, all.data(), table.data()), InternalError);
}

}  // namespace
}  // namespace headroom
