// The numbers of a new model's weights.
#pragma once

#include <cstdint>
#include <span>

namespace headroom {

// Element i of parameter number p is a function of (seed, p, i) and of nothing else: about normal (the sum of eight
// uniform 16-bit numbers, Irwin and Hall 1927; within 4.9 deviations), mean 0. At most `lanes` elements at a time, 8, 4
// or 1, as the processor can: the bits are the same.
void fill_random(std::span<float> out, uint64_t seed, uint64_t parameter, int64_t first_element, double deviation,
                 int lanes = 8);

// Element i of matrix number p is a function of (seed, p, i): uniform in [-bound, bound), in steps of bound / 2^23.
void fill_uniform(std::span<float> out, uint64_t seed, uint64_t matrix, int64_t first_element, double bound);

}  // namespace headroom
