// Products of rows with the matrices of their experts (ops/expert_matmul.h): expert by expert a blocked product of
// matmul_product.h, so that every format of weights and every number of rows has its path there.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/expert_record.h"
#include "headroom/backend/expert_scratch.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Up to so many rows of an expert, what it takes is reading its matrix.
constexpr int32_t kFewRowsOfExpert = 4;

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

// y = the rows of each expert times its matrix, find_matrix(expert, place), which may use `place`. Experts whose rows
// stand where they are read, and are few, are divided over the threads; the others are done by all threads together.
template <class FindMatrix>
void multiply_experts(const Invocation& call, FindMatrix&& find_matrix) {
  const Tensor& x = call.inputs[0];
  const Tensor& y = call.outputs[0];
  const int32_t* order = call.inputs[1].as<const int32_t>();
  const int32_t* begins = call.inputs[3].as<const int32_t>();
  const bool gathers = call.attributes.integer("of_tokens") != 0;
  const int64_t experts = call.inputs[3].dim(0) - 1, chosen = call.inputs[2].dim(1);
  const int64_t depth = x.dim(1), columns = y.dim(1), element = size_of(x.type.dtype);
  std::byte* gathered = call.scratch.data();
  std::byte* scratch = gathered + (gathers ? expert_rows_bytes(call.inputs[2].dim(0), depth, element) : 0);
  const int threads = call.threads.count();
  const auto rows_of = [&](int64_t expert) { return begins[expert + 1] - begins[expert]; };
  const auto product_of = [&](int64_t expert, const std::byte* rows, Tensor& place) -> Product {
    return {.rows = rows_of(expert),
            .columns = columns,
            .depth = depth,
            .a = {rows, x.type.dtype, depth},
            .b = find_matrix(expert, place),
            .c = y.data + begins[expert] * columns * element,
            .c_stride = columns,
            .from_zero = true,
            .c_dtype = y.type.dtype,
            .decoded = decoded_of(call)};
  };
  const auto is_small = [&](int64_t expert) {
    return rows_of(expert) == 1 || (!gathers && rows_of(expert) > 0 && rows_of(expert) <= kFewRowsOfExpert);
  };
  int64_t small = 0;
  for (int64_t expert = 0; expert < experts; ++expert) small += is_small(expert) ? 1 : 0;
  const bool divides = small >= threads;
  const int64_t most_rows = std::min<int64_t>(kFewRowsOfExpert, call.inputs[2].dim(0));
  if (divides) {
    call.threads.run([&](int thread) {
      Tensor place;
      int64_t turn = 0;
      for (int64_t expert = 0; expert < experts; ++expert) {
        if (!is_small(expert) || turn++ % threads != thread) continue;
        const int64_t row = gathers ? order[begins[expert]] / chosen : begins[expert];
        multiply_alone(product_of(expert, x.data + row * depth * element, place), most_rows, thread, threads, scratch);
      }
    });
  }
  Tensor place;
  for (int64_t expert = 0; expert < experts; ++expert) {
    if (rows_of(expert) == 0 || (divides && is_small(expert))) continue;
    if (gathers) {
      with_elements(x, [&]<class Element>(const Element* from) {
        gather(call, from, depth, begins[expert], begins[expert + 1], reinterpret_cast<Element*>(gathered));
      });
    }
    const std::byte* rows = gathers ? gathered : x.data + begins[expert] * depth * element;
    multiply(product_of(expert, rows, place), call.threads, scratch);
  }
}

}  // namespace

void expert_matmul(const Invocation& call) {
  const Tensor& stack = call.inputs[4];
  const bool transposes = call.attributes.integer("transpose") != 0;
  multiply_experts(call, [&](int64_t expert, Tensor&) { return matrix_of(stack, expert, transposes); });
}

void slot_matmul(const Invocation& call) {
  const Tensor& slots = call.inputs[4];
  const Type type = matrix_of_slot(call.attributes);
  const int64_t offset = call.attributes.integer("offset");
  multiply_experts(call, [&](int64_t expert, Tensor& place) {
    place = {slots.data + call.inputs[5].as<const int32_t>()[expert] * slots.dim(1) + offset, type};
    return factor_of(place, 0, true);
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
