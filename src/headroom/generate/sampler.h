// Picks the next token from logits: greedy, or at random after temperature, top-k and top-p, in this order.
//
// The random number is a function of (seed, position), and exp our own (base/real_math.h), so that a text can be
// written again on any machine. Ties go to the lowest id.
#pragma once

#include <cstdint>
#include <span>

namespace headroom {

struct SamplingSettings {
  double temperature = 0;  // 0: greedy
  int64_t top_k = 0;       // keep the k most likely tokens; 0: all
  double top_p = 1;        // of these, keep the fewest that have this share of the probability
  uint64_t seed = 0;
};

// In [0, 1), 53 bits: the output function of SplitMix64 (Steele, Lea and Flood 2014) over seed and position.
double random_unit(uint64_t seed, uint64_t position);

class Sampler {
 public:
  // `order` has room for an id of each token of the vocabulary where the settings cut (top_k > 0 or top_p < 1), and is
  // not used otherwise. Borrowed.
  Sampler(const SamplingSettings& settings, std::span<int32_t> order) : settings_(settings), order_(order) {}

  // The token at `position`; no logit may be NaN. Allocates nothing.
  int32_t pick(std::span<const float> logits, uint64_t position);

 private:
  int32_t pick_from_all(std::span<const float> logits, double largest, double unit) const;
  int32_t pick_from_likeliest(std::span<const float> logits, double largest, double unit);
  double weight(float logit, double largest) const;

  SamplingSettings settings_;
  std::span<int32_t> order_;
};

}  // namespace headroom
