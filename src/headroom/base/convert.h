// Runs of elements between formats: what readers and writers of weight files use. Nothing is assumed about alignment.
#pragma once

#include <cstdint>

#include "headroom/base/dtype.h"

namespace headroom {

// Converts `count` elements among f64, f32, bf16 and f16, rounding to nearest even; f64 goes to the 16-bit formats by
// way of f32, as PyTorch does. Any format converts to itself (a copy). `from` and `to` must not overlap. Throws
// InternalError for another pair.
void convert_elements(DType from_dtype, const void* from, DType to_dtype, void* to, int64_t count);

// Index of the first of `count` elements that is finite as `from` and infinite as `to`, which is what convert_elements
// made of them; -1 if there is none.
int64_t find_overflow(DType from_dtype, const void* from, DType to_dtype, const void* to, int64_t count);

// Index of the first NaN among `count` elements, -1 if there is none (always for integers).
int64_t find_nan(DType dtype, const void* data, int64_t count);

}  // namespace headroom
