#include "headroom/plan/layout.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tests/plan/llama_step.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

void expect_sound(std::span<const Block> blocks, const Layout& layout) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_GE(layout.offsets_bytes[i], 0);
    ASSERT_EQ(layout.offsets_bytes[i] % kAlignmentBytes, 0);
    ASSERT_LE(layout.offsets_bytes[i] + blocks[i].size_bytes, layout.size_bytes);
    for (size_t j = 0; j < i; ++j) {
      if (blocks[i].last < blocks[j].first || blocks[j].last < blocks[i].first) continue;
      ASSERT_TRUE(layout.offsets_bytes[i] + blocks[i].size_bytes <= layout.offsets_bytes[j] ||
                  layout.offsets_bytes[j] + blocks[j].size_bytes <= layout.offsets_bytes[i])
          << "blocks " << i << " and " << j;
    }
  }
}

double above_bound(const Layout& layout) {
  return static_cast<double>(layout.size_bytes) / static_cast<double>(layout.lower_bound_bytes) - 1;
}

TEST(Layout, OfNothing) {
  const Layout layout = lay_out({});
  EXPECT_EQ(layout.size_bytes, 0);
  EXPECT_EQ(layout.lower_bound_bytes, 0);
}

TEST(Layout, ReachesTheBoundOfAHandComputedCase) {
  // At most 256 bytes are alive: at moment 1 (128 + 64 + 64), 2 (64 + 64 + 128) and 3 (64 + 192).
  const std::vector<Block> blocks = {{128, 0, 1}, {64, 1, 2}, {64, 1, 3}, {192, 3, 3}, {128, 2, 2}};
  const Layout layout = lay_out(blocks);
  EXPECT_EQ(layout.lower_bound_bytes, 256);
  EXPECT_EQ(layout.size_bytes, 256);
  expect_sound(blocks, layout);
}

TEST(Layout, OfRandomBlocksIsSoundAndNearTheBound) {
  double worst = 0;
  double sum = 0;
  constexpr int kCases = 200;
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<Block> blocks(1 + random() % 80);
    for (Block& block : blocks) {
      block.size_bytes = 64 * static_cast<int64_t>(random() % 40);
      block.first = static_cast<int32_t>(random() % 60);
      block.last = block.first + static_cast<int32_t>(random() % 12);
    }
    const Layout layout = lay_out(blocks);
    expect_sound(blocks, layout);
    if (layout.lower_bound_bytes == 0) continue;
    worst = std::max(worst, above_bound(layout));
    sum += above_bound(layout);
  }
  EXPECT_LT(sum / kCases, 0.02) << "worst " << worst;
}

TEST(Layout, OfATrainingStepOf7BIsTightAndQuick) {
  for (const bool updates_last : {false, true}) {
    const Graph graph = testing::llama_step({.updates_last = updates_last});
    const auto start = std::chrono::steady_clock::now();
    const Lifetimes lifetimes = find_lifetimes(graph, testing::sketched(2));
    const Layout layout = lay_out(lifetimes.blocks);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    EXPECT_GT(graph.nodes.size(), 1400u);
    EXPECT_LE(above_bound(layout), 0.02);
    EXPECT_LT(spent.count(), 5.0);  // bench_planning measures it; a shared machine under a sanitizer is slow
    expect_sound(lifetimes.blocks, layout);
  }
}

TEST(Layout, OfTrainingStepsOfManyShapesIsWithinTwoPercent) {
  for (const bool updates_last : {false, true}) {
    for (const int layers : {2, 4, 12}) {
      for (const int64_t tokens : {63, 508, 4096}) {
        for (const int64_t hidden : {64, 768, 4096}) {
          for (const int64_t vocabulary : {512, 50257}) {
            const testing::LlamaSizes sizes = {layers, tokens, hidden, hidden * 11 / 4, vocabulary, updates_last};
            const Layout layout = lay_out(find_lifetimes(testing::llama_step(sizes), testing::sketched(2)).blocks);
            EXPECT_LE(above_bound(layout), 0.02) << layers << " layers, " << tokens << " tokens, " << hidden
                                                 << " hidden, " << vocabulary << " vocabulary, " << updates_last;
          }
        }
      }
    }
  }
}

TEST(Layout, IsTheSameEveryTime) {
  const Lifetimes lifetimes = find_lifetimes(testing::llama_step({.layers = 3, .tokens = 100}), testing::sketched(2));
  EXPECT_EQ(lay_out(lifetimes.blocks).offsets_bytes, lay_out(lifetimes.blocks).offsets_bytes);
}

}  // namespace
}  // namespace headroom
