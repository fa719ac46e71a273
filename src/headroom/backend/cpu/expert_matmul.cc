// Products of rows with the matrices of their experts (ops/expert_matmul.h): expert by expert a blocked product of
// matmul_product.h, so that every format of weights and every number of rows has its path there.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/expert_record.h"
#include "headroom/backend/expert_scratch.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Matrix `expert` of a stack [E, N, D].
Factor matrix_of(const Tensor& stack, int64_t expert, bool transposed) {
  const int64_t rows = stack.dim(1), columns = stack.dim(2);
  const DType dtype = stack.type.dtype;
  if (!is_scalar(dtype)) return {nullptr, DType::f32, columns, transposed, &stack, expert * rows};
  return {stack.data + expert * rows * columns * size_of(dtype), dtype, columns, transposed};
}

// An expert's rows of x, one behind the other in `to`, in f32 or as they are.
template <class To, class Element>
void gather(const Invocation& call, const Element* x, int64_t features, int64_t begin, int64_t end, To* to) {
  const bool of_tokens = call.attributes.integer("of_tokens") != 0;
  const int32_t* order = call.inputs[1].as<const int32_t>();
  const int64_t chosen = call.inputs[2].dim(1);
  call.threads.split(end - begin, 4, [&](int64_t first, int64_t last, int) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = of_tokens ? order[begin + i] / chosen : begin + i;
      for_each_group(0, features,
                     [&](int64_t f, auto n) { store(to + i * features + f, load(x + row * features + f, n), n); });
    }
  });
}

// y = the rows of each expert times find_matrix(expert), which stays what it is until the next call.
template <class FindMatrix>
void multiply_experts(const Invocation& call, FindMatrix&& find_matrix) {
  const Tensor& x = call.inputs[0];
  const Tensor& y = call.outputs[0];
  const int32_t* begins = call.inputs[3].as<const int32_t>();
  const bool gathers = call.attributes.integer("of_tokens") != 0;
  const int64_t depth = x.dim(1), columns = y.dim(1), element = size_of(x.type.dtype);
  std::byte* gathered = call.scratch.data();
  std::byte* scratch = gathered + (gathers ? expert_rows_bytes(call.inputs[2].dim(0), depth, element) : 0);
  for (int64_t expert = 0; expert + 1 < call.inputs[3].dim(0); ++expert) {
    const int64_t begin = begins[expert], end = begins[expert + 1];
    if (begin == end) continue;
    if (gathers) {
      with_elements(x, [&]<class Element>(const Element* from) {
        gather(call, from, depth, begin, end, reinterpret_cast<Element*>(gathered));
      });
    }
    multiply({.rows = end - begin,
              .columns = columns,
              .depth = depth,
              .a = {gathers ? gathered : x.data + begin * depth * element, x.type.dtype, depth},
              .b = find_matrix(expert),
              .c = y.data + begin * columns * element,
              .c_stride = columns,
              .from_zero = true,
              .c_dtype = y.type.dtype,
              .decoded = decoded_of(call)},
             call.threads, scratch);
  }
}

}  // namespace

void expert_matmul(const Invocation& call) {
  const Tensor& stack = call.inputs[4];
  const bool transposes = call.attributes.integer("transpose") != 0;
  multiply_experts(call, [&](int64_t expert) { return matrix_of(stack, expert, transposes); });
}

void slot_matmul(const Invocation& call) {
  const Tensor& slots = call.inputs[4];
  Tensor matrix = {slots.data, matrix_of_slot(call.attributes)};
  multiply_experts(call, [&](int64_t expert) {
    const int64_t slot = call.inputs[5].as<const int32_t>()[expert];
    matrix.data = slots.data + slot * slots.dim(1) + call.attributes.integer("offset");
    return factor_of(matrix, 0, true);
  });
}

void expert_matmul_gradient(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& dy = call.inputs[4];
  const Tensor& stack = call.outputs[0];
  const int32_t* begins = call.inputs[3].as<const int32_t>();
  const bool from_zero = call.inputs.size() == 5;
  const int64_t rows = stack.dim(1), columns = stack.dim(2), tokens = call.inputs[2].dim(0);
  float* right = reinterpret_cast<float*>(call.scratch.data());
  float* left = right + expert_rows_bytes(tokens, columns, 4) / 4;
  std::byte* scratch = reinterpret_cast<std::byte*>(left + expert_rows_bytes(tokens, rows, 4) / 4);
  for (int64_t expert = 0; expert < stack.dim(0); ++expert) {
    const int64_t begin = begins[expert], end = begins[expert + 1];
    float* gradient = stack.as<float>() + expert * rows * columns;
    if (begin == end) {
      if (!from_zero) continue;
      split_elements(call.threads, rows * columns, [=](int64_t i, auto n) { store(gradient + i, F32x16(0.0f), n); });
      continue;
    }
    with_elements(x, [&]<class Element>(const Element* from) {
      gather(call, from, columns, begin, end, right);
      const Element* of_rows = dy.as<const Element>() + begin * rows;
      split_elements(call.threads, (end - begin) * rows,
                     [=](int64_t i, auto n) { store(left + i, load(of_rows + i, n), n); });
    });
    multiply({.rows = rows,
              .columns = columns,
              .depth = end - begin,
              .a = {reinterpret_cast<std::byte*>(left), DType::f32, rows, true},
              .b = {reinterpret_cast<std::byte*>(right), DType::f32, columns},
              .c = reinterpret_cast<std::byte*>(gradient),
              .c_stride = columns,
              .from_zero = from_zero},
             call.threads, scratch);
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(expert_matmul);
HEADROOM_KERNEL(slot_matmul);
HEADROOM_KERNEL(expert_matmul_gradient);
