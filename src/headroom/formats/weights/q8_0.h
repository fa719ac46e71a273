// Q8_0, ggml's blocks of 8-bit numbers (ggml-quants.c): 32 elements share one scale d, stored as f16 in front of them;
// an element is d times its i8. 34 bytes a block.
#pragma once

#include <cstdint>

namespace headroom {

inline constexpr int64_t kQ8BlockElements = 32;
inline constexpr int64_t kQ8BlockBytes = 34;

// `count` elements, a multiple of 32; nothing is assumed about alignment. d = max |x| / 127, elements rounded half away
// from zero of x * (1 / d), all in f32: the bits of ggml's reference. `in` must not hold NaN.
void quantize_q8_0(const float* in, int64_t count, void* out);

// The product in f32, which is exact.
void dequantize_q8_0(const void* in, int64_t count, float* out);

}  // namespace headroom
