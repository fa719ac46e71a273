#include "headroom/plan/lifetimes.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

using testing::Sketch;

void expect_block(const Lifetimes& lifetimes, ValueId id, int64_t size_bytes, int32_t first, int32_t last) {
  const int32_t index = lifetimes.homes[static_cast<size_t>(id)].block;
  ASSERT_GE(index, 0);
  const Block& block = lifetimes.blocks[static_cast<size_t>(index)];
  EXPECT_EQ(block.size_bytes, size_bytes);
  EXPECT_EQ(block.first, first);
  EXPECT_EQ(block.last, last);
}

TEST(Lifetimes, OfAHandComputedStep) {
  Sketch sketch("step");
  const ValueId w = sketch.input(100);
  const ValueId a = sketch.value({w}, {100});                 // node 0, read by 1 and 2
  const ValueId b = sketch.value({a}, {8}, 65);               // node 1, a result; 65 bytes of scratch
  const auto made = sketch.node({a, b}, {{64}, {4}});         // node 2; the second output is never read
  const ValueId next = sketch.value({w, made[0]}, {100, 0});  // node 3, in the storage of w
  sketch.graph.carries.push_back({w, next});
  sketch.graph.results.push_back(b);

  const Lifetimes lifetimes = find_lifetimes(sketch.graph, testing::sketched(2));
  EXPECT_EQ(lifetimes.blocks.size(), 5u);
  EXPECT_EQ(lifetimes.homes[static_cast<size_t>(w)].input, w);
  EXPECT_EQ(lifetimes.homes[static_cast<size_t>(next)].input, w);
  EXPECT_EQ(lifetimes.homes[static_cast<size_t>(next)].block, -1);
  expect_block(lifetimes, a, 128, 0, 2);
  expect_block(lifetimes, b, 64, 1, 4);  // to the moment after the last of four nodes
  expect_block(lifetimes, made[0], 64, 2, 3);
  expect_block(lifetimes, made[1], 64, 2, 2);
  const Block& scratch = lifetimes.blocks[static_cast<size_t>(lifetimes.scratch_blocks[1])];
  EXPECT_EQ(scratch.size_bytes, 128);
  EXPECT_EQ(lifetimes.scratch_bytes[1], 65);
  EXPECT_EQ(scratch.first, 1);
  EXPECT_EQ(scratch.last, 1);
  EXPECT_EQ(live_bytes(lifetimes.blocks, 5), (std::vector<int64_t>{128, 128 + 64 + 128, 128 + 64 + 64 + 64, 128, 64}));
}

TEST(Lifetimes, ScratchFollowsTheThreads) {
  Sketch sketch("step");
  sketch.value({}, {4}, 100);
  sketch.scratch_per_thread();
  EXPECT_EQ(find_lifetimes(sketch.graph, testing::sketched(3)).scratch_bytes[0], 300);
}

TEST(Lifetimes, AnOutputTakesOverWhatDies) {
  Sketch sketch("step");
  const ValueId a = sketch.value({}, {256});
  const ValueId b = sketch.value({a}, {256, -1, 0});     // node 1: a dies
  const ValueId c = sketch.value({b}, {256, -1, 0});     // node 2: b is read again
  const ValueId d = sketch.value({b, c}, {128, -1, 0});  // node 3: b dies, but the size differs
  const Lifetimes lifetimes = find_lifetimes(sketch.graph, testing::sketched(1));
  EXPECT_EQ(lifetimes.blocks.size(), 3u);
  EXPECT_EQ(lifetimes.homes[static_cast<size_t>(a)].block, lifetimes.homes[static_cast<size_t>(b)].block);
  expect_block(lifetimes, a, 256, 0, 3);
  expect_block(lifetimes, c, 256, 2, 3);
  expect_block(lifetimes, d, 128, 3, 3);

  const auto tenants = tenants_of(sketch.graph, lifetimes);
  ASSERT_EQ(tenants.size(), 4u);
  EXPECT_EQ(tenants[0].value, a);
  EXPECT_EQ(tenants[0].last, 0);
  EXPECT_EQ(tenants[1].value, b);
  EXPECT_EQ(tenants[1].first, 1);
  EXPECT_EQ(tenants[1].last, 3);
}

TEST(Lifetimes, NothingTakesOverInputsResultsOrWhatTheNodeReadsTwice) {
  Sketch sketch("step");
  const ValueId w = sketch.input(64);
  const ValueId a = sketch.value({w}, {64, -1, 0});     // w keeps its storage
  const ValueId b = sketch.value({a, a}, {64, -1, 0});  // a stands at a position that the op did not allow
  const ValueId c = sketch.value({b}, {64, -1, 0});     // b is a result
  sketch.graph.results.push_back(b);
  const auto both = sketch.node({c}, {{64, -1, 0}, {64, -1, 0}});  // one of the two takes c, the other does not
  const Lifetimes lifetimes = find_lifetimes(sketch.graph, testing::sketched(1));
  const auto block = [&](ValueId id) { return lifetimes.homes[static_cast<size_t>(id)].block; };
  EXPECT_GE(block(a), 0);
  EXPECT_NE(block(a), block(b));
  EXPECT_NE(block(b), block(c));
  EXPECT_EQ(block(both[0]), block(c));
  EXPECT_NE(block(both[1]), block(c));
}

TEST(Lifetimes, AbsurdSizesAreRefused) {
  Sketch sketch("step");
  for (int i = 0; i < 3; ++i) sketch.value({}, {int64_t{1} << 62});
  EXPECT_THROW(find_lifetimes(sketch.graph, testing::sketched(1)), InvalidInput);
}

}  // namespace
}  // namespace headroom
