// C[M,N] = A[M,K] * B[K,N] (+ the C it finds), blocked and packed, on all threads. What matmul and the loss head share.
#pragma once

#include <cstddef>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

// A factor in memory: element (i, j) stands at data[i * stride + j], or at data[j * stride + i] when transposed.
struct Factor {
  const std::byte* data;
  DType dtype;  // f32, bf16 or f16
  int64_t stride;
  bool transposed = false;
};

struct Product {
  int64_t rows;     // M
  int64_t columns;  // N
  int64_t depth;    // K
  Factor a;
  Factor b;
  float* c;  // row-major
  int64_t c_stride;
  bool from_zero;  // whether the chains start at +0 instead of going on from what c holds
};

// `scratch`: product_scratch_bytes(threads.count()), aligned to 64 bytes.
void multiply(const Product& product, Threads& threads, std::byte* scratch);

}  // namespace headroom::HEADROOM_ISA
