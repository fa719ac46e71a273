// The 16-bit formats, as dtype.h promises them, without a branch: a loop over these becomes vectors. Integers, but for
// the denormals of f16, which one exact addition aligns.
#pragma once

#include <bit>
#include <cstdint>

namespace headroom::rounding {

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t nan = (bits >> 16) | 0x0040u;  // quiet
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13;
  const uint32_t rebased = magnitude + 0x38000000u;  // the exponent's bias: 127 instead of 15
  // Below 2^-14: the mantissa behind 2^-14's exponent, less 2^-14.
  const uint32_t denormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude + 0x38800000u) - 0x1p-14f);
  const uint32_t finite = magnitude < 0x00800000u ? denormal : rebased;
  return std::bit_cast<float>(sign | (magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite));
}

inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Below 2^-14: in 0.5 + x the last bit is worth 2^-24, as in a denormal half; the addition rounds.
  const uint32_t denormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  const uint32_t finite = magnitude < 0x38800000u ? denormal : normal;
  const uint32_t beyond = magnitude > 0x7f800000u ? nan : 0x7c00u;
  return static_cast<uint16_t>(sign | (magnitude >= 0x47800000u ? beyond : finite));  // from 2^16 on
}

}  // namespace headroom::rounding
