// Parts of tensors, against counting them one by one.
#include "headroom/base/box.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

Pairs pairs(const Box& a, const Shape& a_shape, const Box& b, const Shape& b_shape, int64_t begin, int64_t end,
            int* runs = nullptr) {
  Pairs found;
  for_each_run(a, a_shape, b, b_shape, begin, end, [&](int64_t of_a, int64_t of_b, int64_t count) {
    for (int64_t i = 0; i < count; ++i) found.emplace_back(of_a + i, of_b + i);
    if (runs != nullptr) ++*runs;
  });
  return found;
}

TEST(Box, ElementsGoTogetherInTheirOrder) {
  const Shape a_shape = {4, 3, 5}, b_shape = {6, 7};
  const Box a{{1, 0, 2}, {2, 3, 2}}, b{{2, 1}, {2, 6}};
  Pairs expected;
  for (int64_t i = 0; i < 12; ++i) {
    const int64_t plane = 1 + i / 6, row = i % 6 / 2, column = 2 + i % 2;
    expected.emplace_back((plane * 3 + row) * 5 + column, (2 + i / 6) * 7 + 1 + i % 6);
  }
  EXPECT_EQ(pairs(a, a_shape, b, b_shape, 0, 12), expected);
  EXPECT_EQ(pairs(a, a_shape, b, b_shape, 3, 8), Pairs(expected.begin() + 3, expected.begin() + 8));
}

TEST(Box, WholeRowsAreOnePiece) {
  int runs = 0;
  pairs({{3, 0}, {4, 5}}, {9, 5}, Box::whole({4, 5}), {4, 5}, 0, 20, &runs);
  EXPECT_EQ(runs, 1);
}

TEST(Box, LiesInsideItsTensor) {
  expect_inside({{1, 0}, {3, 2}}, {4, 2});
  EXPECT_THROW(expect_inside({{2, 0}, {3, 2}}, {4, 2}), InternalError);
  EXPECT_THROW(expect_inside({{0}, {3}}, {4, 2}), InternalError);
  EXPECT_THROW(expect_inside({{0, 0}, {0, 2}}, {4, 2}), InternalError);
}

}  // namespace
}  // namespace headroom
