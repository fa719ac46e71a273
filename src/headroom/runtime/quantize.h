// Weights into 4 or 8 bits (backend/quantized_weights.h) while they are loaded: the same codes whatever the pieces in
// which they come.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "headroom/backend/kernel.h"
#include "headroom/formats/weights/tensor_loader.h"

namespace headroom {

// A block of 1 to 64 numbers -> its codes (two a byte, or signed bytes), and the block's largest magnitude or scale.
float quantize_nf4_block(std::span<const float> block, uint8_t* codes);
float quantize_int8_block(std::span<const float> block, uint8_t* codes);

// The second quantisation: magnitudes of the blocks of a tensor -> codes, and scales with the mean behind them.
void quantize_magnitudes(std::span<const float> magnitudes, std::span<uint8_t> codes, std::span<float> scale_blocks);

struct QuantizedLoad {
  WeightTensor source;
  std::vector<Tensor> parts;  // in the order of quantized_parts (ops/dequantize.h): three for 4 bits, two for 8
};

// Reads each tensor and quantises it, one after the other, by way of `staging` (borrowed; as BlockReader takes it, and
// for a tensor of more than 2^20 elements a 16th of its elements in bytes more). Throws as load_tensors does, and
// InvalidInput for an infinity.
LoadStatistics load_quantized(const std::vector<QuantizedLoad>& loads, std::span<std::byte> staging,
                              const LoadProgress& progress = nullptr);

}  // namespace headroom
