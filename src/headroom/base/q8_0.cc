// Q8_0, ggml's blocks of 8-bit numbers (ggml-quants.c): 8.5 bits an element. Rows are whole blocks of 32 elements.
//
//   | d   | codes           | d   | codes           | ...
//   | f16 | 32 signed bytes | f16 | 32 signed bytes |         34 bytes a block
//
// An element is d * code, which is exact in f32. Encoded, d is the block's largest magnitude / 127 and a code x * (1 /
// d) rounded half away from zero, all in f32 before d is rounded to f16: the bits of ggml's reference.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kElements = 32;
constexpr int64_t kBytes = 34;

class Q8 final : public BlockFormat {
 public:
  constexpr Q8() : BlockFormat("q8_0", kElements) {}

  int64_t bytes(const Shape& shape) const override {
    const int64_t row = shape.rank() == 0 ? 0 : shape[shape.rank() - 1];
    if (row % kElements != 0) {
      throw InvalidInput("q8_0: rows are whole blocks; expected a multiple of {} elements, got {}", kElements,
                         to_string(shape));
    }
    return shape.elements() / kElements * kBytes;
  }

  void decode(const Shape&, const std::byte* tensor, int64_t first, int64_t count, float* out) const override {
    for (int64_t i = first; i < first + count;) {
      const std::byte* block = tensor + i / kElements * kBytes;
      uint16_t d_bits;
      std::memcpy(&d_bits, block, sizeof d_bits);
      const float d = f16_to_f32(d_bits);
      const auto* codes = reinterpret_cast<const int8_t*>(block + 2) + i % kElements;
      const int64_t run = std::min(kElements - i % kElements, first + count - i);
      if (run == kElements) {  // of a length that the compiler knows
        for (int64_t k = 0; k < kElements; ++k) out[k] = static_cast<float>(codes[k]) * d;
      } else {
        for (int64_t k = 0; k < run; ++k) out[k] = static_cast<float>(codes[k]) * d;
      }
      i += run;
      out += run;
    }
  }

  int64_t encode(const Shape&, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float>) const override {
    int64_t at = first;
    for (const float* in = elements.data(); in < elements.data() + elements.size(); in += kElements, at += kElements) {
      float largest = 0;
      for (int64_t i = 0; i < kElements; ++i) largest = std::max(largest, std::fabs(in[i]));
      const float d = largest / 127.0f;
      const float inverse = d == 0 ? 0.0f : 1.0f / d;
      const uint16_t d_bits = f32_to_f16(d);
      if (!std::isfinite(f16_to_f32(d_bits))) return at;
      std::byte* block = tensor + at / kElements * kBytes;
      std::memcpy(block, &d_bits, sizeof d_bits);
      for (int64_t i = 0; i < kElements; ++i) {
        block[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(in[i] * inverse)));
      }
    }
    return -1;
  }
};

constinit const Q8 kQ8;

}  // namespace

HEADROOM_BLOCK_FORMAT(kQ8);

}  // namespace headroom
