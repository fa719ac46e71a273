// What ranks do with their parts beside exchanging them, against loops that say it.
#include "headroom/base/rank_parts.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

float tree_of(const float* rows, int64_t first, int64_t count, int64_t columns) {
  if (count == 1) return rows[first * columns];
  int64_t left = 1;
  while (2 * left < count) left *= 2;
  return tree_of(rows, first, left, columns) + tree_of(rows, first + left, count - left, columns);
}

TEST(AddRankRows, IsTheBalancedTreeOverTheRanks) {
  Random random(1);
  for (const int64_t ranks : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 33}) {
    for (const int64_t columns : {1, 17, 5000}) {
      const Array rows = random.array(f32({ranks, columns}), -1, 1);
      const Array target = random.array(f32({columns + 9}), -1, 1);
      const Array sum = expect_kernels_agree("add_rank_rows", {rows, target}, {{"first", int64_t{7}}})[0];
      for (int64_t i = 0; i < columns + 9; ++i) {
        const bool is_panel = i >= 7 && i < 7 + columns;
        const float expected = is_panel ? tree_of(rows.as<float>() + i - 7, 0, ranks, columns) : target.as<float>()[i];
        ASSERT_EQ(sum.as<float>()[i], expected) << ranks << " ranks, element " << i;
      }
    }
  }
}

TEST(TakePart, IsTheRanksPartAndZeros) {
  Random random(2);
  const RankParts parts{5000, 1024, 3};
  const Array whole = random.array(f32({50, 100}), -1, 1);
  for (int64_t rank = 0; rank < parts.ranks; ++rank) {
    const Attributes attributes = {
        {"first", parts.first(rank)}, {"elements", parts.held(rank)}, {"room", parts.room()}};
    const Array part = expect_kernels_agree("take_part", {whole}, attributes)[0];
    for (int64_t i = 0; i < parts.room(); ++i) {
      ASSERT_EQ(part.as<float>()[i], i < parts.held(rank) ? whole.as<float>()[parts.first(rank) + i] : 0.0f) << i;
    }
  }
}

// However a value is cut, its squared norm is that of the whole.
TEST(SquaredNormsOfBlocks, AddUpToTheNormOfTheWhole) {
  Random random(3);
  for (const int64_t elements : {1, 1024, 1025, 70000}) {
    const Array whole = random.array(f32({elements}), -1, 1);
    const Array blocks = expect_kernels_agree("squared_norms_of_blocks", {whole})[0];
    EXPECT_EQ(blocks.elements(), (elements + 1023) / 1024);
    const Array norm = expect_kernels_agree("add_block_sums", {blocks})[0];
    EXPECT_EQ(norm.as<double>()[0], expect_kernels_agree("squared_norm", {whole})[0].as<double>()[0]);
  }
}

TEST(RankParts, AreWholeBlocksAndTheFirstTheLargest) {
  for (const int64_t elements : {1, 1023, 1024, 9000, 1024 * 1024 + 1}) {
    for (const int64_t ranks : {1, 2, 3, 7, 16}) {
      const RankParts parts{elements, 1024, ranks};
      int64_t sum = 0;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        EXPECT_EQ(parts.first(rank) % 1024 == 0 || parts.first(rank) == elements, true);
        EXPECT_LE(parts.held(rank), parts.room());
        EXPECT_LE(parts.held(rank), parts.held(0));
        sum += parts.held(rank);
      }
      EXPECT_EQ(sum, elements);
    }
  }
}

}  // namespace
}  // namespace headroom::testing
