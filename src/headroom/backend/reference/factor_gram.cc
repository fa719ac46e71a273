// G + lambda I = U diag(d) U^T (ops/factor_gram.h), from the last column to the first, in blocks of kFactorColumns
// columns (the first may be narrower: blocks end at K, K - 256, ...). Of column r in block [b, e) and row i <= r
//   s = G_ir (of the diagonal: damped), then for k = e .. K-1 ascending   s = fma(U_ik, -(U_rk d_k), s),
//   then for j = e-1 .. r+1 descending                                   s = fma(U_ij, -(U_rj d_j), s);
//   d_r = s of the diagonal, at least lambda;  U_ir = s / d_r.
#include <algorithm>
#include <cmath>

#include "headroom/backend/gram_order.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/matmul_blocks.h"
#include "headroom/base/bytes.h"

namespace headroom::reference {

void factor_gram(const Invocation& call) {
  float* gram = call.outputs[0].as<float>();
  const int64_t columns = call.outputs[0].dim(1);
  const std::span<int32_t> order(call.outputs[1].as<int32_t>(), static_cast<size_t>(columns));
  float* diagonal = call.outputs[2].as<float>();
  const float lambda = damping_of(gram, columns, call.attributes.real("damping"));
  order_columns(gram, call.attributes.integer("group"), order);
  permute_gram(gram, order, call.threads, reinterpret_cast<float*>(call.scratch.data()));
  const auto at = [=](int64_t i, int64_t j) -> float& { return gram[i * columns + j]; };
  for (int64_t i = 0; i < columns; ++i) diagonal[i] = at(i, i) + lambda;
  for (int64_t end = columns; end > 0; end -= kFactorColumns) {
    const int64_t begin = std::max<int64_t>(0, end - kFactorColumns);
    for (int64_t r = end - 1; r >= begin; --r) {
      const auto sum = [&](int64_t i) {
        float s = i == r ? diagonal[r] : at(i, r);
        const auto left = [&](int64_t k) { return i == k ? 1.0f : at(i, k); };
        for (int64_t k = end; k < columns; ++k) s = std::fma(left(k), -(at(r, k) * at(k, k)), s);
        for (int64_t j = end - 1; j > r; --j) s = std::fma(left(j), -(at(r, j) * at(j, j)), s);
        return s;
      };
      const float pivot = sum(r);
      const float d = pivot < lambda ? lambda : pivot;
      for (int64_t i = 0; i < r; ++i) at(i, r) = sum(i) / d;
      at(r, r) = d;
    }
  }
}

// The products' own, a row for each thread, and behind them three things of a block: its rows times -d, its square, and
// its columns' multipliers.
int64_t factor_gram_scratch(const TypedNode& node, int threads) {
  const int64_t columns = node.inputs[0].shape[0];
  const int64_t rows = std::max<int64_t>(threads, kFactorColumns) * columns;
  return product_scratch_bytes(threads) + round_up(4 * rows, 64) + 2 * 4 * kFactorColumns * kFactorColumns;
}

}  // namespace headroom::reference

HEADROOM_KERNEL(factor_gram, factor_gram_scratch);
