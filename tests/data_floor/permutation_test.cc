#include "headroom/data/permutation.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace headroom {
namespace {

TEST(Permutation, IsABijectionForEverySize) {
  for (int64_t size = 1; size <= 300; ++size) {
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
      const Permutation permutation(size, 5, epoch);
      std::vector<bool> seen(static_cast<size_t>(size));
      for (int64_t index = 0; index < size; ++index) {
        const int64_t place = permutation(index);
        ASSERT_TRUE(place >= 0 && place < size);
        ASSERT_FALSE(seen[static_cast<size_t>(place)]) << size;
        seen[static_cast<size_t>(place)] = true;
      }
    }
  }
}

TEST(Permutation, HandlesSizesNearItsLimit) {
  const int64_t size = int64_t{1} << 62;
  const Permutation permutation(size, 1, 0);
  for (const int64_t index : {int64_t{0}, size / 2, size - 1})
    EXPECT_LT(static_cast<uint64_t>(permutation(index)), size);
  EXPECT_NE(permutation(0), permutation(1));
}

// Each element reaches each place about equally often over many keys: chi-square with 36 degrees of freedom, whose
// 0.9999 quantile is 78.
TEST(Permutation, SpreadsEvenlyOverSeedsAndEpochs) {
  constexpr int kSize = 7, kKeys = 7000;
  for (const bool by_epoch : {false, true}) {
    std::array<std::array<double, kSize>, kSize> counts = {};
    for (uint64_t key = 0; key < kKeys; ++key) {
      const Permutation permutation(kSize, by_epoch ? 0 : key, by_epoch ? key : 0);
      for (int index = 0; index < kSize; ++index) counts[index][permutation(index)] += 1;
    }
    double chi_square = 0;
    for (const auto& row : counts) {
      for (const double count : row) chi_square += (count - kKeys / kSize) * (count - kKeys / kSize) / (kKeys / kSize);
    }
    EXPECT_LT(chi_square, 78);
  }
}

// Written down once: a change would silently change every resumed run.
TEST(Permutation, NeverChanges) {
  std::vector<int64_t> places;
  for (int64_t index = 0; index < 10; ++index) places.push_back(Permutation(10, 42, 1)(index));
  EXPECT_EQ(places, (std::vector<int64_t>{4, 3, 1, 5, 0, 7, 2, 9, 6, 8}));
}

}  // namespace
}  // namespace headroom
