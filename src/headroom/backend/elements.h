// The stored formats that kernels read as f32: a weight operand may be f32, bf16 or f16.
// Shared by all instruction sets: everything is inlined, so that no copy made for one of them reaches another.
#pragma once

#include <cstdint>

#include "headroom/backend/kernel.h"

namespace headroom {

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

// Calls body(first element) with a const float*, const Bf16* or const F16*, after the dtype of `tensor`, which the op
// has checked to be one of the three.
template <class Body>
[[gnu::always_inline]] inline void with_elements(const Tensor& tensor, Body&& body) {
  switch (tensor.type.dtype) {
    case DType::bf16: return body(reinterpret_cast<const Bf16*>(tensor.data));
    case DType::f16: return body(reinterpret_cast<const F16*>(tensor.data));
    default: return body(reinterpret_cast<const float*>(tensor.data));
  }
}

}  // namespace headroom
