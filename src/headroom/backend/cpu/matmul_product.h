// C[M,N] = A[M,K] * B[K,N] (+ the C it finds), blocked and packed, on all threads. What matmul and the loss head share.
#pragma once

#include <cstddef>

#include "headroom/backend/kernel.h"
#include "headroom/backend/matmul_blocks.h"

namespace headroom::HEADROOM_ISA {

// A factor in memory: element (i, j) stands at data[i * stride + j], or at data[j * stride + i] when transposed.
struct Factor {
  const std::byte* data;
  DType dtype;  // f32, bf16 or f16
  int64_t stride;
  bool transposed = false;
  // Not null: a right factor in a block format, the rows of this tensor from first_row on; what stands above says how
  // it would lie as f32, without `data`.
  const Tensor* blocks = nullptr;
  int64_t first_row = 0;
};

// The rows of a matrix from `first_row` on. `tensor` is borrowed.
Factor factor_of(const Tensor& tensor, int64_t first_row, bool transposed);

// Products of f32 are chains over k; a left factor of 16 bits rounds the right one, in f32 or its own format, as it is
// read, and one of bf16 takes the terms in pairs (docs/arithmetic.md).
struct Product {
  int64_t rows;     // M
  int64_t columns;  // N
  int64_t depth;    // K
  Factor a;
  Factor b;
  std::byte* c;  // row-major
  int64_t c_stride;
  bool from_zero;                // whether the chains start at +0 instead of going on from what c holds
  DType c_dtype = DType::f32;    // or the left factor's: rounded once
  std::byte* decoded = nullptr;  // for a right factor in a block format: kDecodedBytes for each thread
};

// The end of the kernel's scratch, which is there for Product::decoded (decoded_scratch_bytes).
inline std::byte* decoded_of(const Invocation& call) {
  return call.scratch.data() + call.scratch.size() - call.threads.count() * kDecodedBytes;
}

// `scratch`: product_scratch_bytes(threads.count()), aligned to 64 bytes; for a c of 16 bits with
// rounded_product_bytes(rows, columns) for each thread behind it.
void multiply(const Product& product, Threads& threads, std::byte* scratch);
// The same on the thread that calls, which is number `thread` of `threads`, while others do products of their own: of
// as many columns, and of `most_rows` rows at most, by which their scratch is laid out.
void multiply_alone(const Product& product, int64_t most_rows, int thread, int threads, std::byte* scratch);

}  // namespace headroom::HEADROOM_ISA
