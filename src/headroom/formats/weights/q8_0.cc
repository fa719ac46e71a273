#include "headroom/formats/weights/q8_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "headroom/base/dtype.h"

namespace headroom {

void quantize_q8_0(const float* in, int64_t count, void* out) {
  auto* bytes = static_cast<uint8_t*>(out);
  for (int64_t first = 0; first < count; first += kQ8BlockElements, in += kQ8BlockElements, bytes += kQ8BlockBytes) {
    float largest = 0;
    for (int64_t i = 0; i < kQ8BlockElements; ++i) largest = std::max(largest, std::fabs(in[i]));
    const float d = largest / 127.0f;
    const float inverse = d == 0 ? 0.0f : 1.0f / d;
    const uint16_t d_bits = f32_to_f16(d);
    std::memcpy(bytes, &d_bits, sizeof d_bits);
    for (int64_t i = 0; i < kQ8BlockElements; ++i) {
      bytes[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(in[i] * inverse)));
    }
  }
}

void dequantize_q8_0(const void* in, int64_t count, float* out) {
  const auto* bytes = static_cast<const uint8_t*>(in);
  for (int64_t first = 0; first < count; first += kQ8BlockElements, out += kQ8BlockElements, bytes += kQ8BlockBytes) {
    uint16_t d_bits;
    std::memcpy(&d_bits, bytes, sizeof d_bits);
    const float d = f16_to_f32(d_bits);
    for (int64_t i = 0; i < kQ8BlockElements; ++i) out[i] = static_cast<float>(static_cast<int8_t>(bytes[2 + i])) * d;
  }
}

}  // namespace headroom
