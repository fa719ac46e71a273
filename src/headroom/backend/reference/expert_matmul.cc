// Products of rows with the matrices of their experts (ops/expert_matmul.h): each element one chain (product_chain.h).
#include <algorithm>

#include "headroom/backend/expert_record.h"
#include "headroom/backend/expert_scratch.h"
#include "headroom/backend/matmul_blocks.h"
#include "headroom/backend/reference/product_chain.h"

namespace headroom::reference {
namespace {

// The expert of row `row`.
int64_t expert_of(const Tensor& begins, int64_t row) {
  const int32_t* first = begins.as<const int32_t>();
  return std::upper_bound(first, first + begins.dim(0), static_cast<int32_t>(row)) - first - 1;
}

// Where row `row` stands in x: [R, D], or of tokens [T, D].
int64_t row_of_x(const Invocation& call, int64_t row) {
  if (call.attributes.integer("of_tokens") == 0) return row;
  return call.inputs[1].as<const int32_t>()[row] / call.inputs[2].dim(1);
}

}  // namespace

void expert_matmul(const Invocation& call) {
  const Tensor& y = call.outputs[0];
  const Shape& stack = call.inputs[4].type.shape;
  const bool transposes = call.attributes.integer("transpose") != 0;
  const int64_t columns = y.dim(1), depth = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Left>(const Left* x) {
    with_weights(call.inputs[4], [&](auto weights) {
      call.threads.split(y.dim(0), 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row) {
          const auto matrix = weights + expert_of(call.inputs[3], row) * stack[1] * stack[2];
          const Left* left = x + row_of_x(call, row) * depth;
          for (int64_t n = 0; n < columns; ++n) {
            float sum = 0;
            for_each_term<Left>(depth, [&](int64_t k) {
              const float right = k < 0 ? 0.0f : load_one(matrix + (transposes ? n * depth + k : k * columns + n));
              sum = add_product<Left>(k < 0 ? 0.0f : load_one(left + k), load_for<Left>(right), sum);
            });
            store_one(y.as<Left>() + row * columns + n, sum);
          }
        }
      });
    });
  });
}

void slot_matmul(const Invocation& call) {
  const Tensor& y = call.outputs[0];
  const Tensor& slots = call.inputs[4];
  const Type type = matrix_of_slot(call.attributes);
  const int64_t columns = y.dim(1), depth = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Left>(const Left* x) {
    for (int64_t row = 0; row < y.dim(0); ++row) {
      const int64_t slot = call.inputs[5].as<const int32_t>()[expert_of(call.inputs[3], row)];
      const Tensor matrix = {slots.data + slot * slots.dim(1) + call.attributes.integer("offset"), type};
      const Left* left = x + row_of_x(call, row) * depth;
      with_weights(matrix, [&](auto weights) {
        for (int64_t n = 0; n < columns; ++n) {
          float sum = 0;
          for_each_term<Left>(depth, [&](int64_t k) {
            const float right = k < 0 ? 0.0f : load_one(weights + (n * depth + k));
            sum = add_product<Left>(k < 0 ? 0.0f : load_one(left + k), load_for<Left>(right), sum);
          });
          store_one(y.as<Left>() + row * columns + n, sum);
        }
      });
    }
  });
}

void expert_matmul_gradient(const Invocation& call) {
  const Tensor& stack = call.outputs[0];
  const int64_t rows = stack.dim(1), columns = stack.dim(2);
  const int32_t* begins = call.inputs[3].as<const int32_t>();
  if (call.inputs.size() == 5) std::fill_n(stack.as<float>(), stack.elements(), 0.0f);
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    const Element* dy = call.inputs[4].as<const Element>();
    call.threads.split(stack.dim(0) * rows, 1, [&](int64_t first, int64_t end, int) {
      for (int64_t place = first; place < end; ++place) {
        const int64_t expert = place / rows;
        float* gradient = stack.as<float>() + place * columns;
        for (int64_t row = begins[expert]; row < begins[expert + 1]; ++row) {
          const float left = load_one(dy + row * rows + place % rows);
          const Element* right = x + row_of_x(call, row) * columns;
          for (int64_t d = 0; d < columns; ++d) gradient[d] = std::fma(left, load_one(right + d), gradient[d]);
        }
      }
    });
  });
}

int64_t expert_product_scratch(const TypedNode& node, DType matrices, int threads) {
  const Type& x = node.inputs[0];
  const Type& y = node.outputs[0];
  const int64_t tokens = node.inputs[2].shape[0];
  const bool gathers = node.attributes.integer("of_tokens") != 0;
  const int64_t rounded = y.dtype == DType::f32 ? 0 : rounded_product_bytes(tokens, y.shape[1]);
  return (gathers ? expert_rows_bytes(tokens, x.shape[1], size_of(x.dtype)) : 0) + product_scratch_bytes(threads) +
         threads * rounded + decoded_scratch_bytes(matrices, threads);
}

int64_t expert_matmul_scratch(const TypedNode& node, int threads) {
  return expert_product_scratch(node, node.inputs[4].dtype, threads);
}

int64_t slot_matmul_scratch(const TypedNode& node, int threads) {
  return expert_product_scratch(node, matrix_of_slot(node.attributes).dtype, threads);
}

int64_t expert_matmul_gradient_scratch(const TypedNode& node, int threads) {
  const int64_t tokens = node.inputs[2].shape[0];
  const auto bytes = [&](const Type& rows) { return expert_rows_bytes(tokens, rows.shape[1], size_of(DType::f32)); };
  return bytes(node.inputs[0]) + bytes(node.inputs[4]) + product_scratch_bytes(threads);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(expert_matmul, expert_matmul_scratch);
HEADROOM_KERNEL(slot_matmul, slot_matmul_scratch);
HEADROOM_KERNEL(expert_matmul_gradient, expert_matmul_gradient_scratch);
