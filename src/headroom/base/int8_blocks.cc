#include "headroom/base/int8_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headroom {
namespace {

// 1 to 64 numbers -> their codes; returns the scale.
float encode_block(std::span<const float> block, int8_t* codes) {
  float magnitude = 0;
  for (const float element : block) magnitude = std::max(magnitude, std::fabs(element));
  const float inverse = magnitude > 0 ? 127.0f / magnitude : 0.0f;
  for (size_t i = 0; i < block.size(); ++i) {
    codes[i] = static_cast<int8_t>(std::nearbyint(std::clamp(block[i] * inverse, -127.0f, 127.0f)));
  }
  return magnitude / 127.0f;
}

class Int8Blocks final : public BlockFormat {
 public:
  constexpr Int8Blocks() : BlockFormat("int8", kInt8Block) {}

  int64_t bytes(const Shape& shape) const override {
    const int64_t elements = shape.elements();
    return int8_scales_at(elements) + 4 * ((elements + kInt8Block - 1) / kInt8Block);
  }

  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override {
    const auto* codes = reinterpret_cast<const int8_t*>(tensor);
    const std::byte* scales = tensor + int8_scales_at(shape.elements());
    for (int64_t i = first; i < first + count; ++i) {
      float scale;
      std::memcpy(&scale, scales + i / kInt8Block * 4, sizeof scale);
      out[i - first] = static_cast<float>(codes[i]) * scale;
    }
  }

  int64_t encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float>) const override {
    auto* codes = reinterpret_cast<int8_t*>(tensor);
    std::byte* scales = tensor + int8_scales_at(shape.elements());
    for (size_t done = 0; done < elements.size(); done += kInt8Block) {
      const int64_t at = first + static_cast<int64_t>(done);
      const float scale =
          encode_block(elements.subspan(done, std::min<size_t>(kInt8Block, elements.size() - done)), codes + at);
      if (!std::isfinite(scale)) return at;
      std::memcpy(scales + at / kInt8Block * 4, &scale, sizeof scale);
    }
    return -1;
  }
};

constinit const Int8Blocks kInt8Blocks;

}  // namespace

const BlockFormat& int8_blocks() { return kInt8Blocks; }

HEADROOM_BLOCK_FORMAT(kInt8Blocks);

}  // namespace headroom
