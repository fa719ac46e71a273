// How activations are kept in few bits between forward and backward: rows in blocks of 128 elements (the last one of a
// row may be shorter), each with a scale in bf16 and a code an element. With c codes on each side of zero (7 of 4 bits,
// 127 of 8), a number x is the code x / scale + c, rounded stochastically, and comes back as (code - c) * scale. Zeros
// stay zeros. Shared by all instruction sets: everything is inlined.
#pragma once

#include <bit>
#include <cstdint>

namespace headroom {

inline constexpr int64_t kActivationBlock = 128;

inline constexpr int64_t activation_blocks(int64_t features) {
  return (features + kActivationBlock - 1) / kActivationBlock;
}
// Of the codes of a row. Of 4 bits, byte j of a block of n holds element j in the low half and, in the high one,
// element j + (n + 1) / 2, or 0 where there is none.
inline constexpr int64_t activation_row_bytes(int64_t features, int64_t bits) { return (features * bits + 7) / 8; }
// Elements from one row to the next where random words are counted: blocks begin at multiples of 128.
inline constexpr int64_t activation_row_pitch(int64_t features) {
  return activation_blocks(features) * kActivationBlock;
}
inline constexpr int32_t activation_codes(int64_t bits) { return bits == 4 ? 7 : 127; }

// The scale of a block: its largest magnitude over the codes of one side, rounded up to bf16; NaN where that is NaN.
[[gnu::always_inline]] inline uint16_t activation_scale(float largest, int32_t codes) {
  const uint32_t bits = std::bit_cast<uint32_t>(largest / static_cast<float>(codes));
  return static_cast<uint16_t>(largest != largest ? 0x7fc0u : (bits + 0xffffu) >> 16);
}
[[gnu::always_inline]] inline float activation_scale_value(uint16_t scale) {
  return std::bit_cast<float>(static_cast<uint32_t>(scale) << 16);
}
// What numbers are multiplied with. Blocks whose scale is below the normal numbers become zeros.
[[gnu::always_inline]] inline float activation_inverse(float scale) { return scale < 0x1p-126f ? 0.0f : 1.0f / scale; }

}  // namespace headroom
