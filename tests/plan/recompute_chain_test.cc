#include "headroom/plan/recompute_chain.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace headroom {
namespace {

Chain random_chain(std::mt19937& random, size_t blocks, int options) {
  std::uniform_int_distribution<int64_t> bytes(1, 60);
  std::uniform_int_distribution<int> milliseconds(1, 40);
  Chain chain;
  chain.top_bytes = bytes(random);
  for (size_t i = 0; i < blocks; ++i) {
    ChainBlock block;
    block.border_bytes = bytes(random);
    const int64_t all = bytes(random) * 2;
    const int64_t work = bytes(random);
    block.options.push_back({all, all + work, 0});
    for (int option = 1; option < options; ++option) {
      const int64_t kept = all * (options - 1 - option) / (options - 1);
      block.options.push_back(
          {kept, all + work + bytes(random) / 8, block.options.back().seconds + milliseconds(random)});
    }
    block.inside_seconds = block.options.back().seconds + milliseconds(random);
    block.replay_seconds = block.inside_seconds + milliseconds(random);
    chain.blocks.push_back(block);
  }
  return chain;
}

struct Played {
  int64_t peak_bytes = 0;
  double seconds = 0;
};

// A step, played value by value: what is held is what was made and not yet let go.
Played play(const Chain& chain, const std::vector<ChainChoice>& choices) {
  Played run;
  int64_t held = 0;
  const auto see = [&](int64_t more) { run.peak_bytes = std::max(run.peak_bytes, held + more); };
  const size_t count = chain.blocks.size();
  std::vector<int64_t> inside(count, 0);
  std::vector<bool> border(count, false);
  for (size_t i = 0; i < count; ++i) {  // forward
    if (!choices[i].joined) {
      held += chain.blocks[i].border_bytes;
      border[i] = true;
    }
    if (choices[i].option != kReplayed) {
      inside[i] = chain.blocks[i].options[static_cast<size_t>(choices[i].option)].kept_bytes;
      held += inside[i];
    }
  }
  see(chain.top_bytes);
  for (size_t i = count; i-- > 0;) {  // backward
    if (choices[i].option == kReplayed && inside[i] == 0) {
      size_t first = i;
      while (choices[first].joined) --first;
      for (size_t block = first; block <= i; ++block) {
        if (!border[block]) held += chain.blocks[block].border_bytes;
        border[block] = true;
        inside[block] = chain.blocks[block].options[0].kept_bytes;
        held += inside[block];
        run.seconds += block < i ? chain.blocks[block].replay_seconds : chain.blocks[block].inside_seconds;
      }
    }
    const ChainOption& worked = chain.blocks[i].options[static_cast<size_t>(std::max(choices[i].option, 0))];
    if (choices[i].option != kReplayed) run.seconds += worked.seconds;
    see(worked.work_bytes - inside[i]);
    held -= inside[i] + chain.blocks[i].border_bytes;
  }
  EXPECT_EQ(held, 0);
  return run;
}

// Every choice there is, block by block; the least time within `target_bytes`.
class BruteForce {
 public:
  BruteForce(const Chain& chain, int64_t target_bytes) : chain_(chain), target_bytes_(target_bytes) {}

  double least_seconds() {
    try_block(0, 0, 0);
    return best_;
  }

 private:
  // `kept` by the blocks before it.
  void try_block(size_t at, int64_t kept, double seconds) {
    if (seconds >= best_) return;
    if (at == chain_.blocks.size()) {
      if (kept + chain_.top_bytes <= target_bytes_) best_ = seconds;
      return;
    }
    const ChainBlock& block = chain_.blocks[at];
    for (const ChainOption& option : block.options) {
      if (kept + block.border_bytes + option.work_bytes > target_bytes_) continue;
      try_block(at + 1, kept + block.border_bytes + option.kept_bytes, seconds + option.seconds);
    }
    int64_t held = kept + block.border_bytes;
    double replayed = seconds;
    bool fits = held + block.options[0].work_bytes <= target_bytes_;
    for (size_t last = at + 1; last < chain_.blocks.size() && fits; ++last) {
      held += chain_.blocks[last - 1].options[0].kept_bytes + chain_.blocks[last].border_bytes;
      replayed += chain_.blocks[last - 1].replay_seconds;
      fits = held + chain_.blocks[last].options[0].work_bytes <= target_bytes_;
      if (fits) try_block(last + 1, kept + block.border_bytes, replayed + chain_.blocks[last].inside_seconds);
    }
  }

  const Chain& chain_;
  const int64_t target_bytes_;
  double best_ = std::numeric_limits<double>::infinity();
};

// On thousands of chains of up to 12 blocks, for targets from the least peak to the plain one.
TEST(RecomputeChain, EqualsBruteForceOnEveryRandomChain) {
  std::mt19937 random(6);
  int compared = 0;
  for (int round = 0; round < 2400; ++round) {
    const size_t blocks = 1 + static_cast<size_t>(round) % 12;
    const Chain chain = random_chain(random, blocks, 2 + round % 3 * (blocks < 9));
    const int64_t least = least_peak_bytes(chain);
    const int64_t plain = peak_bytes(chain, std::vector<ChainChoice>(blocks));
    EXPECT_TRUE(choose(chain, least - 1).empty());
    for (const double share : {0.0, 0.15, 0.5, 0.8}) {
      const int64_t target = least + static_cast<int64_t>(share * static_cast<double>(plain - least));
      const std::vector<ChainChoice> choices = choose(chain, target);
      ASSERT_EQ(choices.size(), blocks);
      const Played played = play(chain, choices);
      EXPECT_EQ(played.peak_bytes, peak_bytes(chain, choices));
      EXPECT_DOUBLE_EQ(played.seconds, extra_seconds(chain, choices));
      EXPECT_LE(played.peak_bytes, target);
      ASSERT_DOUBLE_EQ(played.seconds, BruteForce(chain, target).least_seconds())
          << blocks << " blocks, target " << target;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 4 * 2400);
}

TEST(RecomputeChain, ComputesNothingAgainWhereAllFits) {
  std::mt19937 random(7);
  const Chain chain = random_chain(random, 12, 3);
  const std::vector<ChainChoice> plain(12);
  EXPECT_EQ(extra_seconds(chain, choose(chain, peak_bytes(chain, plain))), 0);
  EXPECT_TRUE(choose(chain, 1).empty());
}

// Equal blocks whose insides are nothing beside their borders: the square root of Chen et al.
TEST(RecomputeChain, SegmentsOfBlocksGoBelowABorderForEachBlock) {
  Chain chain;
  for (int i = 0; i < 64; ++i) {
    chain.blocks.push_back(
        {.border_bytes = 10, .options = {{1, 2, 0}, {0, 2, 1}}, .inside_seconds = 1, .replay_seconds = 1});
  }
  EXPECT_LE(least_peak_bytes(chain), 10 * 2 * 8 + 20);
  EXPECT_LE(extra_seconds(chain, choose(chain, 200)), 64);
}

}  // namespace
}  // namespace headroom
