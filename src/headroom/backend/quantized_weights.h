// How frozen weights are kept in 4 or 8 bits: blocks of 64 elements of the flat tensor, each divided by its largest
// magnitude. Tables and sizes only: code of every instruction set reads the same.
//
// NF4 (Dettmers et al. 2023, "QLoRA", arXiv 2305.14314, sections 3 and 4), number for number that of bitsandbytes: a
// code is the nearest of sixteen quantiles of the normal distribution, the first of two elements in the high half of a
// byte. Doubly quantised: the blocks' magnitudes, less their mean, are codes of the dynamic map in blocks of 256, each
// with an f32 scale: 4.127 bits an element.
//
// 8 bits: q = x / magnitude * 127, rounded to nearest even, as a signed byte; the scale, magnitude / 127, is f32: 8.5
// bits.
#pragma once

#include <array>
#include <cstdint>

namespace headroom {

inline constexpr int64_t kQuantizedBlock = 64;
inline constexpr int64_t quantized_blocks(int64_t elements) {
  return (elements + kQuantizedBlock - 1) / kQuantizedBlock;
}
// Blocks whose magnitudes share a scale, and how many such scales there are; behind them stands the mean.
inline constexpr int64_t kScaleBlock = 256;
inline constexpr int64_t scale_blocks(int64_t elements) {
  return (quantized_blocks(elements) + kScaleBlock - 1) / kScaleBlock;
}

inline constexpr std::array<float, 16> kNf4Values = {-1.0f,
                                                     -0.6961928009986877f,
                                                     -0.5250730514526367f,
                                                     -0.39491748809814453f,
                                                     -0.28444138169288635f,
                                                     -0.18477343022823334f,
                                                     -0.09105003625154495f,
                                                     0.0f,
                                                     0.07958029955625534f,
                                                     0.16093020141124725f,
                                                     0.24611230194568634f,
                                                     0.33791524171829224f,
                                                     0.44070982933044434f,
                                                     0.5626170039176941f,
                                                     0.7229568362236023f,
                                                     1.0f};

// Between a value and the next: a number above the midpoint has the next one's code.
inline constexpr std::array<float, 15> kNf4Midpoints = [] {
  std::array<float, 15> midpoints{};
  for (size_t i = 0; i < midpoints.size(); ++i) midpoints[i] = (kNf4Values[i] + kNf4Values[i + 1]) / 2;
  return midpoints;
}();

}  // namespace headroom
