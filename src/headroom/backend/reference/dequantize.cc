// Frozen weights out of 4 or 8 bits (ops/dequantize.h).
#include "headroom/backend/dynamic_map.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/quantized_weights.h"

namespace headroom::reference {

void dequantize_nf4(const Invocation& call) {
  const uint8_t* codes = call.inputs[0].as<const uint8_t>();
  const uint8_t* scales = call.inputs[1].as<const uint8_t>();
  const float* scale_blocks = call.inputs[2].as<const float>();
  const float mean = scale_blocks[call.inputs[2].elements() - 1];
  for (int64_t i = 0; i < call.outputs[0].elements(); ++i) {
    const int64_t block = i / kQuantizedBlock;
    const float magnitude = kSignedMap.values[scales[block]] * scale_blocks[block / kScaleBlock] + mean;
    const int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
    call.outputs[0].as<float>()[i] = kNf4Values[static_cast<size_t>(code)] * magnitude;
  }
}

void dequantize_int8(const Invocation& call) {
  const int8_t* codes = call.inputs[0].as<const int8_t>();
  const float* scales = call.inputs[1].as<const float>();
  for (int64_t i = 0; i < call.outputs[0].elements(); ++i) {
    call.outputs[0].as<float>()[i] = static_cast<float>(codes[i]) * scales[i / kQuantizedBlock];
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(dequantize_nf4);
HEADROOM_KERNEL(dequantize_int8);
