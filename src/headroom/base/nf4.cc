#include "headroom/base/nf4.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "headroom/base/dynamic_map.h"

namespace headroom {
namespace {

using PaddedBlock = std::array<float, kNf4Block>;
using Counts = std::array<int32_t, kNf4Block>;

// How many midpoints lie below each number: loops of a fixed length, which compilers turn into vectors.
[[gnu::always_inline]] inline void count_midpoints(const PaddedBlock& x, Counts& counts) {
  counts.fill(0);
  for (const float midpoint : kNf4Midpoints) {
    for (size_t i = 0; i < x.size(); ++i) counts[i] += x[i] > midpoint ? 1 : 0;
  }
}
[[gnu::target("avx2")]] void count_midpoints_avx2(const PaddedBlock& x, Counts& counts) { count_midpoints(x, counts); }

// 1 to 64 numbers -> their codes, two a byte; returns the largest magnitude.
float encode_block(std::span<const float> block, uint8_t* codes) {
  PaddedBlock x{};
  std::copy(block.begin(), block.end(), x.begin());
  float magnitude = 0;
  for (const float element : x) magnitude = std::max(magnitude, std::fabs(element));
  const float inverse = 1.0f / std::max(magnitude, kLeastDynamicScale);
  for (float& element : x) element = std::clamp(element * inverse, -1.0f, 1.0f);
  Counts counts;
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) {
    count_midpoints_avx2(x, counts);
  } else {
    count_midpoints(x, counts);
  }
  for (size_t i = 0; i < (block.size() + 1) / 2; ++i) {
    codes[i] = static_cast<uint8_t>(counts[2 * i] << 4 | counts[2 * i + 1]);
  }
  return magnitude;
}

uint8_t nearest_code(float x) {
  const auto& midpoints = kSignedMap.midpoints;
  return static_cast<uint8_t>(std::lower_bound(midpoints.begin(), midpoints.end(), x) - midpoints.begin());
}

float float_at(const std::byte* bytes) {
  float number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

class Nf4 final : public BlockFormat {
 public:
  constexpr Nf4() : BlockFormat("nf4", kNf4Block) {}

  int64_t bytes(const Shape& shape) const override { return Nf4Planes(shape.elements()).mean_at + 4; }

  // value[code] * (map[scale] * scale block + mean), each operation rounded.
  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override {
    const Nf4Planes planes(shape.elements());
    const auto* codes = reinterpret_cast<const uint8_t*>(tensor);
    const uint8_t* scales = codes + planes.scales_at;
    const float mean = float_at(tensor + planes.mean_at);
    for (int64_t i = first; i < first + count; ++i) {
      const int64_t block = i / kNf4Block;
      const float scale = float_at(tensor + planes.scale_blocks_at + block / kNf4ScaleBlock * 4);
      const float magnitude = kSignedMap.values[scales[block]] * scale + mean;
      const int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
      out[i - first] = kNf4Values[static_cast<size_t>(code)] * magnitude;
    }
  }

  int64_t encode(const Shape&, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float> waiting) const override {
    auto* codes = reinterpret_cast<uint8_t*>(tensor);
    for (size_t done = 0; done < elements.size(); done += kNf4Block) {
      const int64_t at = first + static_cast<int64_t>(done);
      const float magnitude =
          encode_block(elements.subspan(done, std::min<size_t>(kNf4Block, elements.size() - done)), codes + at / 2);
      if (!std::isfinite(magnitude)) return at;
      waiting[static_cast<size_t>(at / kNf4Block)] = magnitude;
    }
    return -1;
  }

  // The magnitudes, which wait for their mean.
  int64_t waiting_floats(const Shape& shape) const override { return Nf4Planes(shape.elements()).blocks; }

  void finish(const Shape& shape, std::byte* tensor, std::span<const float> magnitudes) const override {
    const Nf4Planes planes(shape.elements());
    auto* scales = reinterpret_cast<uint8_t*>(tensor + planes.scales_at);
    double sum = 0;
    for (const float magnitude : magnitudes) sum += static_cast<double>(magnitude);
    const float mean = static_cast<float>(sum / static_cast<double>(magnitudes.size()));
    std::memcpy(tensor + planes.mean_at, &mean, sizeof mean);
    for (size_t begin = 0; begin < magnitudes.size(); begin += kNf4ScaleBlock) {
      const size_t end = std::min(begin + kNf4ScaleBlock, magnitudes.size());
      float largest = 0;
      for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(magnitudes[i] - mean));
      std::memcpy(tensor + planes.scale_blocks_at + begin / kNf4ScaleBlock * 4, &largest, sizeof largest);
      const float inverse = 1.0f / std::max(largest, kLeastDynamicScale);
      for (size_t i = begin; i < end; ++i) {
        scales[i] = nearest_code(std::clamp((magnitudes[i] - mean) * inverse, -1.0f, 1.0f));
      }
    }
  }
};

constinit const Nf4 kNf4;

}  // namespace

const BlockFormat& nf4() { return kNf4; }

HEADROOM_BLOCK_FORMAT(kNf4);

}  // namespace headroom
