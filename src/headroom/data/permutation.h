// A shuffle without a list: a keyed bijection of [0, size) that is computed point by point.
//
// A balanced Feistel network (Luby and Rackoff 1988) over the smallest even number of bits that covers size, whose
// round function is the finalizer of SplitMix64 (Steele, Lea, Flood 2014); results beyond size walk on along their
// cycle (Black and Rogaway 2002), less than four steps on average. Integers only: the same everywhere.
#pragma once

#include <array>
#include <cstdint>

namespace headroom {

class Permutation {
 public:
  // 1 <= size <= 2^62. The order is a function of size, seed and epoch and of nothing else.
  Permutation(int64_t size, uint64_t seed, uint64_t epoch);

  // The place that `index` goes to; both in [0, size).
  int64_t operator()(int64_t index) const;

 private:
  static constexpr int kRounds = 8;

  uint64_t size_;
  int half_bits_;
  std::array<uint64_t, kRounds> keys_;
};

}  // namespace headroom
