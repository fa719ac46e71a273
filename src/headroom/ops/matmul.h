// Products of matrices:  c[m,n] = sum_k a[m,k] * b[k,n], each element one chain of fused multiply-adds over k.
//   M rows, N columns, K depth.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct Transposes {
  bool a = false;  // a is stored [K, M]
  bool b = false;  // b is stored [N, K]
};

// a f32[M, K], b [K, N] in f32, bf16 or f16 -> f32[M, N]. With `sum` (f32[M, N], its storage) the chains go on from it.
ValueId matmul(Builder& build, ValueId a, ValueId b, Transposes transposes = {}, ValueId sum = kNoValue);

// y[t,o] = sum_i x[t,i] * w[o,i]: the layers of a model keep weights as [outputs, inputs]. x f32[T, I] -> f32[T, O].
inline ValueId linear(Builder& build, ValueId x, ValueId weight) { return matmul(build, x, weight, {.b = true}); }

}  // namespace headroom
