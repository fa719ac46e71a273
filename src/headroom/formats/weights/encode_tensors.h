// Tensors of weight files into block formats (base/block_format.h) while they are read: the same codes whatever the
// pieces in which they come.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "headroom/base/block_format.h"
#include "headroom/formats/weights/tensor_loader.h"

namespace headroom {

// Reads each tensor and encodes it as `wanted`, a block format, one after the other, by way of `staging` (borrowed; as
// BlockReader takes it, and for a tensor of NF4 with more than 2^20 elements a 16th of its elements in bytes more).
// Throws as load_tensors does, and InvalidInput for an infinity. Calls progress(done bytes of these tensors).
void encode_tensors(std::span<const TensorLoad> loads, std::span<std::byte> staging,
                    const std::function<void(int64_t done_bytes)>& progress);

}  // namespace headroom
