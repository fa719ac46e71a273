// The elements of a tensor of a GGUF file as numbers, in the order of the file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headroom/base/dtype.h"
#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {

// Whole blocks as `wanted`: those of block formats as f32, rounded to it.
void decode_gguf_blocks(const GgmlType& type, const std::byte* in, int64_t blocks, DType wanted, void* out);

// Elements [first, first + count), through memory on the stack. Threads may read at the same time.
void read_gguf_elements(const GgufTensor& tensor, int64_t first, int64_t count, DType wanted, std::byte* out);

}  // namespace headroom
