// logsumexp: equal on every instruction set, and the f64 value to f32's accuracy.
#include <cmath>

#include "headroom/backend/vocabulary_tiles.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

TEST(LogSumExp, KernelsAgreeAndAreAccurate) {
  Random random(1);
  for (const int64_t columns : {1L, 5L, 16L, 100L, kVocabularyTile, kVocabularyTile + 1, 3 * kVocabularyTile - 3}) {
    const int64_t rows = random.integer(1, 5);
    const Array logits = random.array(f32({rows, columns}), -40, 40);
    SCOPED_TRACE(columns);
    const Array lse = expect_kernels_agree("logsumexp", {logits})[0];
    for (int64_t t = 0; t < rows; ++t) {
      double sum = 0;
      for (int64_t v = 0; v < columns; ++v) sum += std::exp(logits.at(t * columns + v));
      EXPECT_NEAR(lse.at(t), std::log(sum), 8e-6);
    }
  }
}

TEST(LogSumExp, LanesBeyondTheRowDoNotCount) {
  Random random(2);
  for (int64_t columns = 1; columns <= 33; ++columns) {
    expect_kernels_agree("logsumexp", {random.array(f32({2, columns}), -30, -20)});
  }
}

TEST(LogSumExp, SpecialNumbers) {
  const std::vector<double> numbers = {-INFINITY, 3, -INFINITY,  // log-probability zero is no obstacle
                                       NAN,       1, 2,          // NaN comes through
                                       1e38,      1, -1e38};     // neither overflow nor underflow
  const Array lse = expect_kernels_agree("logsumexp", {array_of(f32({3, 3}), numbers)})[0];
  EXPECT_EQ(lse.at(0), 3);
  EXPECT_TRUE(std::isnan(lse.at(1)));
  EXPECT_EQ(lse.at(2), static_cast<double>(1e38f));
}

}  // namespace
}  // namespace headroom::testing
