// The random word of one element (backend/counter_random.h).
#pragma once

#include "headroom/backend/counter_random.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

inline I32 random_word(const RandomKey& key, int64_t element) {
  I32 words[4] = {0, 0, 0, 0};
  philox_words(key, element / 64 * 64, I32(static_cast<int32_t>(element % 16)), words);
  return words[element / 16 % 4];
}

}  // namespace headroom::reference
