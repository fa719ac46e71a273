#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(JoinColumns, PutsPartsSideBySide) {
  Random random(1);
  const std::vector<Array> parts = {random.array(f32({3, 5})), random.array(f32({3, 1})), random.array(f32({3, 17}))};
  const Array joined = expect_kernels_agree("join_columns", parts)[0];
  for (int64_t row = 0; row < 3; ++row) {
    int64_t column = 0;
    for (const Array& part : parts) {
      const int64_t width = part.type().shape[1];
      for (int64_t i = 0; i < width; ++i) {
        EXPECT_EQ(joined.as<float>()[row * 23 + column + i], part.as<float>()[row * width + i]);
      }
      column += width;
    }
  }
}

TEST(SplitColumns, TakesThemApart) {
  Random random(2);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Array x = random.array({dtype, {5, 23}});
    const std::vector<Array> parts = expect_kernels_agree("split_columns", {x}, {{"columns", int64_t{6}}});
    for (int64_t i = 0; i < 5 * 23; ++i) {
      const int64_t row = i / 23, column = i % 23;
      EXPECT_EQ(column < 6 ? parts[0].at(row * 6 + column) : parts[1].at(row * 17 + column - 6), x.at(i));
    }
  }
}

}  // namespace
}  // namespace headroom::testing
