// A block of numbers as codes of 8 or 4 bits beside a scale (backend/activation_blocks.h), sixteen at a time: what
// kernels that compress share. A block's codes are bytes on the stack before they are packed, and after they are
// unpacked.
#pragma once

#include <cstring>

#include "headroom/backend/activation_blocks.h"
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/stochastic_rounding.h"

namespace headroom::HEADROOM_ISA {

using Codes = uint8_t[kActivationBlock];  // one a byte

template <int64_t kBits>
HEADROOM_INLINE void pack(const Codes& codes, int64_t count, uint8_t* to) {
  if constexpr (kBits == 8) {
    std::memcpy(to, codes, static_cast<size_t>(count));
  } else if (count == kActivationBlock) {
    for (int64_t j = 0; j < 64; ++j) to[j] = static_cast<uint8_t>(codes[j] | codes[j + 64] << 4);
  } else {
    const int64_t half = (count + 1) / 2;
    for (int64_t j = 0; j < half; ++j) {
      to[j] = static_cast<uint8_t>(codes[j] | (j + half < count ? codes[j + half] << 4 : 0));
    }
  }
}

template <int64_t kBits>
HEADROOM_INLINE void unpack(const uint8_t* from, int64_t count, Codes& codes) {
  if constexpr (kBits == 8) {
    std::memcpy(codes, from, static_cast<size_t>(count));
  } else {
    const int64_t half = (count + 1) / 2;
    for (int64_t j = 0; j < half; ++j) {
      codes[j] = from[j] & 15;
      codes[j + half] = from[j] >> 4;
    }
  }
}

// Packs `count` numbers, 1 to 128, to `to`, and returns the scale. words_of(i) gives the words of numbers i to i + 15.
template <int64_t kBits, class WordsOf>
HEADROOM_INLINE uint16_t compress_block(const float* x, int64_t count, uint8_t* to, WordsOf words_of) {
  const int32_t sides = activation_codes(kBits);
  const F32x16 zero(static_cast<float>(sides));
  const F32x16 top(static_cast<float>(2 * sides));
  F32x16 largest(0.0f);
  for_each_group(0, count, [&](int64_t i, auto n) { largest = max(largest, absolute(load(x + i, n))); });
  const uint16_t scale = activation_scale(max_of(largest), sides);
  const F32x16 inverse(activation_inverse(activation_scale_value(scale)));
  alignas(64) Codes codes;
  for_each_group(0, count, [&](int64_t i, auto n) {
    const I32x16 words = words_of(i);
    const F32x16 y = fma(load(x + i, n), inverse, zero);
    const F32x16 within = min_or_second(top, max_or_second(F32x16(0.0f), select(is_nan(y), zero, y)));
    store_bytes(codes + i, round_to_integer_stochastically(within, words));
  });
  pack<kBits>(codes, count, to);
  return scale;
}

// The first `count` numbers again, to y, an Element* or a Streamed.
template <int64_t kBits, class Place>
HEADROOM_INLINE void put_numbers(const Codes& codes, uint16_t scale_bits, int64_t count, Place y) {
  const I32x16 sides(activation_codes(kBits));
  const F32x16 scale(activation_scale_value(scale_bits));
  for_each_group(0, count, [&](int64_t i, auto n) { store(y + i, to_f32(load_bytes(codes + i) - sides) * scale, n); });
}

}  // namespace headroom::HEADROOM_ISA
