// Products head by head with parts of one weight (ops/head_products.h), and the weight's gradient: each element one
// chain (product_chain.h).
#include <algorithm>

#include "headroom/backend/head_layout.h"
#include "headroom/backend/matmul_blocks.h"
#include "headroom/backend/reference/product_chain.h"

namespace headroom::reference {

void head_products(const Invocation& call) {
  const HeadsOfWeight of(call.attributes, call.inputs[1].type.shape);
  const int64_t in = call.inputs[0].dim(1) / of.heads;
  const int64_t out = call.outputs[0].dim(1) / of.heads;
  const int64_t made = of.to_latents ? of.latents : of.rows;
  const int64_t depth = of.to_latents ? of.rows : of.latents;
  with_elements(call.inputs[0], [&]<class Element>(const Element* all) {
    with_weights(call.inputs[1], [&](auto weight) {
      call.threads.split(call.inputs[0].dim(0) * of.heads, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row) {
          const Element* x = all + row * in;
          Element* y = call.outputs[0].as<Element>() + row * out;
          const int64_t first = of.first_row(row % of.heads);
          for (int64_t i = 0; i < made; ++i) {
            float sum = 0;
            for_each_term<Element>(depth, [&](int64_t k) {
              const int64_t place = of.to_latents ? (first + k) * of.latents + i : (first + i) * of.latents + k;
              const float right = k < 0 ? 0.0f : load_one(weight + place);
              sum = add_product<Element>(k < 0 ? 0.0f : load_one(x + k), load_for<Element>(right), sum);
            });
            store_one(y + i, sum);
          }
          for (int64_t i = made; i < out; ++i)
            store_one(y + i, depth + i - made < in ? load_one(x + depth + i - made) : 0.0f);
        }
      });
    });
  });
}

void head_products_gradient(const Invocation& call) {
  const HeadsOfWeight of(call.attributes, call.outputs[0].type.shape);
  const int64_t tokens = call.inputs[0].dim(0);
  const int64_t narrow_row = call.inputs[0].dim(1), wide_row = call.inputs[1].dim(1);
  float* gradient = call.outputs[0].as<float>();
  if (call.inputs.size() == 2) std::fill_n(gradient, call.outputs[0].elements(), 0.0f);
  with_elements(call.inputs[0], [&]<class Left>(const Left* narrow) {
    with_elements(call.inputs[1], [&](const auto* wide) {
      call.threads.split(of.heads * of.rows, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t place = begin; place < end; ++place) {
          const int64_t head = place / of.rows, p = place % of.rows;
          float* row = gradient + (of.first_row(head) + p) * of.latents;
          for (int64_t l = 0; l < of.latents; ++l) {
            for_each_term<Left>(tokens, [&](int64_t t) {
              const float left = t < 0 ? 0.0f : load_one(narrow + t * narrow_row + head * (narrow_row / of.heads) + p);
              const float right = t < 0 ? 0.0f : load_one(wide + t * wide_row + head * (wide_row / of.heads) + l);
              row[l] = add_product<Left>(left, load_for<Left>(right), row[l]);
            });
          }
        }
      });
    });
  });
}

int64_t head_products_scratch(const TypedNode& node, int threads) {
  const Type& y = node.outputs[0];
  const int64_t columns = y.shape[1] / node.attributes.integer("heads");
  const int64_t rounded = y.dtype == DType::f32 ? 0 : rounded_product_bytes(y.shape[0], columns);
  return product_scratch_bytes(threads) + threads * rounded + decoded_scratch_bytes(node.inputs[1].dtype, threads);
}

int64_t head_products_gradient_scratch(const TypedNode&, int threads) { return product_scratch_bytes(threads); }

}  // namespace headroom::reference

HEADROOM_KERNEL(head_products, head_products_scratch);
HEADROOM_KERNEL(head_products_gradient, head_products_gradient_scratch);
