// Products head by head with parts of one weight (ops/head_products.h): a blocked product of matmul_product.h each.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/head_layout.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Up to so many, waking threads for each head takes longer than the head.
constexpr int64_t kFewTokens = 16;

// Columns [column, ...) of a matrix.
Factor columns_of(const Tensor& matrix, int64_t column, bool transposed) {
  Factor factor = factor_of(matrix, 0, transposed);
  factor.data += column * size_of(matrix.type.dtype);
  return factor;
}

// The features behind those that were multiplied: copies, or 0 where x has none.
void write_tails(const Invocation& call, const HeadsOfWeight& of) {
  const int64_t in = call.inputs[0].dim(1) / of.heads, out = call.outputs[0].dim(1) / of.heads;
  const int64_t made = of.to_latents ? of.latents : of.rows, depth = of.to_latents ? of.rows : of.latents;
  if (out == made) return;
  const bool copies = in > depth;
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    Element* y = call.outputs[0].as<Element>();
    call.threads.split(call.inputs[0].dim(0) * of.heads, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        for_each_group(0, out - made, [&](int64_t i, auto n) {
          store(y + row * out + made + i, copies ? load(x + row * in + depth + i, n) : F32x16(0.0f), n);
        });
      }
    });
  });
}

}  // namespace

void head_products(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& y = call.outputs[0];
  const HeadsOfWeight of(call.attributes, call.inputs[1].type.shape);
  const int64_t in = x.dim(1) / of.heads, out = y.dim(1) / of.heads;
  const auto product_of = [&](int64_t head) -> Product {
    return {.rows = x.dim(0),
            .columns = of.to_latents ? of.latents : of.rows,
            .depth = of.to_latents ? of.rows : of.latents,
            .a = columns_of(x, head * in, false),
            .b = factor_of(call.inputs[1], of.first_row(head), !of.to_latents),
            .c = y.data + head * out * size_of(y.type.dtype),
            .c_stride = y.dim(1),
            .from_zero = true,
            .c_dtype = y.type.dtype,
            .decoded = decoded_of(call)};
  };
  const int threads = call.threads.count();
  if (x.dim(0) <= kFewTokens) {
    call.threads.run([&](int thread) {
      for (int64_t head = thread; head < of.heads; head += threads) {
        multiply_alone(product_of(head), x.dim(0), thread, threads, call.scratch.data());
      }
    });
  } else {
    for (int64_t head = 0; head < of.heads; ++head) multiply(product_of(head), call.threads, call.scratch.data());
  }
  write_tails(call, of);
}

void head_products_gradient(const Invocation& call) {
  const Tensor& narrow = call.inputs[0];
  const Tensor& wide = call.inputs[1];
  const Tensor& gradient = call.outputs[0];
  const HeadsOfWeight of(call.attributes, gradient.type.shape);
  const bool from_zero = call.inputs.size() == 2;
  if (from_zero) {
    float* data = gradient.as<float>();
    split_elements(call.threads, gradient.elements(), [=](int64_t i, auto n) { store(data + i, F32x16(0.0f), n); });
  }
  for (int64_t head = 0; head < of.heads; ++head) {
    multiply({.rows = of.rows,
              .columns = of.latents,
              .depth = narrow.dim(0),
              .a = columns_of(narrow, head * (narrow.dim(1) / of.heads), true),
              .b = columns_of(wide, head * (wide.dim(1) / of.heads), false),
              .c = gradient.data + of.first_row(head) * of.latents * size_of(DType::f32),
              .c_stride = of.latents,
              .from_zero = from_zero},
             call.threads, call.scratch.data());
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(head_products);
HEADROOM_KERNEL(head_products_gradient);
