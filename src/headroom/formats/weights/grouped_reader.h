// Elements of a tensor that a file holds in a grouped format (base/grouped_format.h), without reading all of it.
#pragma once

#include <cstdint>

#include "headroom/formats/weights/tensor_file.h"

namespace headroom {

// Elements [first, first + count) of `tensor`, which `file` holds, as `wanted`: f64, f32, f16 or bf16. Panels are read
// whole, some columns at a time, through 32 KiB on the stack: quickest are whole numbers of 16 rows. Throws
// InvalidInput for another `wanted`, and for a scale among what is read that is NaN or infinite.
void read_grouped(const File& file, const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out);

// Throws InvalidInput naming the tensor, of which the rows from `first_row` on, a matrix of shape `rows`, lie in memory
// in `format` at `bytes`, for a scale that is NaN or infinite. `as_in_file`: in the file's order of rows.
void refuse_bad_scales(const std::string& path, const StoredTensor& tensor, const BlockFormat& format,
                       const Shape& rows, int64_t first_row, const std::byte* bytes, bool as_in_file);

}  // namespace headroom
