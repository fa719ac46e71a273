// NF4 with double quantisation (Dettmers et al. 2023, "QLoRA", arXiv 2305.14314, sections 3 and 4), number for number
// that of bitsandbytes: 4.127 bits an element. A block of 64 elements of the flat tensor is divided by its largest
// magnitude; an element is the code of the nearest of sixteen quantiles of the normal distribution. The blocks'
// magnitudes, less their mean, are codes of the dynamic map (base/dynamic_map.h), 256 of them to an f32 scale.
//
//   N elements, n = ceil(N / 64) blocks, m = ceil(n / 256) blocks of these
//   | codes             | scales       | scale blocks  | mean |
//   | ceil(N / 2) bytes | n bytes      | m times f32   | f32  |    each of the first three begins a line of 64 bytes
//     first of two elements in the high half
//
// Tables and places only, beside the format itself: kernels of every instruction set read the same.
#pragma once

#include <array>
#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

const BlockFormat& nf4();

inline constexpr int64_t kNf4Block = 64;
inline constexpr int64_t kNf4ScaleBlock = 256;  // blocks

// Where the planes lie, in bytes from the beginning.
struct Nf4Planes {
  explicit constexpr Nf4Planes(int64_t elements)
      : blocks((elements + kNf4Block - 1) / kNf4Block),
        scale_blocks((blocks + kNf4ScaleBlock - 1) / kNf4ScaleBlock),
        scales_at(((elements + 1) / 2 + 63) / 64 * 64),
        scale_blocks_at(scales_at + (blocks + 63) / 64 * 64),
        mean_at(scale_blocks_at + 4 * scale_blocks) {}

  int64_t blocks, scale_blocks;
  int64_t scales_at, scale_blocks_at, mean_at;
};

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
