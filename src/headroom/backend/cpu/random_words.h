// The random words of 64 elements at once (backend/counter_random.h), for kernels that work on sixteen lanes.
#pragma once

#include "headroom/backend/counter_random.h"
#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

// Elements that one block of random words covers: where loops and threads cut what they round.
inline constexpr int64_t kRandomElements = 4 * kLanes;

// words[i], lane l: the word of element first + 16 i + l; `first` is a multiple of kRandomElements.
HEADROOM_INLINE void random_words(const RandomKey& key, int64_t first, I32x16 (&words)[4]) {
  philox_words(key, first, lane_numbers(), words);
}

}  // namespace headroom::HEADROOM_ISA
