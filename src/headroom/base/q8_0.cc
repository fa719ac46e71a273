// Q8_0, ggml's blocks of 8-bit numbers (ggml-quants.c): 8.5 bits an element. Rows are whole blocks of 32 elements.
//
//   | d   | codes           | d   | codes           | ...
//   | f16 | 32 signed bytes | f16 | 32 signed bytes |         34 bytes a block
//
// An element is d * code, which is exact in f32. Encoded, d is the block's largest magnitude / 127 and a code x * (1 /
// d) rounded half away from zero, all in f32 before d is rounded to f16: the bits of ggml's reference.
#include "headroom/base/ggml_blocks.h"

namespace headroom {
namespace {

struct Q8 {
  static constexpr std::string_view kName = "q8_0";
  static constexpr int64_t kElements = 32, kBytes = 34;

  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    for (int64_t i = 0; i < kElements; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
  }

  static bool is_sound(const uint8_t* block) { return std::isfinite(f16_at(block)); }

  static bool encode(const float* in, uint8_t* block) {
    float largest = 0;
    for (int64_t i = 0; i < kElements; ++i) largest = std::max(largest, std::fabs(in[i]));
    const float d = largest / 127.0f;
    const float inverse = d == 0 ? 0.0f : 1.0f / d;
    const uint16_t d_bits = f32_to_f16(d);
    if (!std::isfinite(f16_to_f32(d_bits))) return false;
    std::memcpy(block, &d_bits, sizeof d_bits);
    for (int64_t i = 0; i < kElements; ++i) {
      block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(in[i] * inverse)));
    }
    return true;
  }
};

constinit const GgmlBlocks<Q8> kQ8;

}  // namespace

HEADROOM_BLOCK_FORMAT(kQ8);

}  // namespace headroom
