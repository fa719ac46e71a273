#include "headroom/data/permutation.h"

#include <bit>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15u;

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Permutation::Permutation(int64_t size, uint64_t seed, uint64_t epoch) : size_(static_cast<uint64_t>(size)) {
  ensure(size >= 1 && size <= int64_t{1} << 62, "a permutation of {} elements", size);
  half_bits_ = (static_cast<int>(std::bit_width(size_ - 1)) + 1) / 2;
  uint64_t state = mix(mix(seed + kGoldenGamma) ^ (epoch * kGoldenGamma));
  for (uint64_t& key : keys_) key = mix(state += kGoldenGamma);
}

int64_t Permutation::operator()(int64_t index) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t value = static_cast<uint64_t>(index);
  do {
    uint64_t left = value >> half_bits_;
    uint64_t right = value & mask;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (mix(right + key) & mask);
      left = right;
      right = next;
    }
    value = left << half_bits_ | right;
  } while (value >= size_);
  return static_cast<int64_t>(value);
}

}  // namespace headroom
