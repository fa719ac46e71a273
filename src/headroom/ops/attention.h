// Causal attention with grouped queries (Ainslie et al. 2023), without the matrix of scores (online softmax: Milakov
// and Gimelshein 2018, Dao et al. 2022).
//   T query rows, C key rows, H query heads, K heads of keys and values (K divides H), D head size, B sequences.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct AttentionSettings {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  double scale = 0;  // of the scores, usually 1/sqrt(D); taken as f32
};

struct AttentionResult {
  ValueId out;  // f32[T, H*D]; rows in no sequence are 0
  ValueId lse;  // f32[T, H]: log of the sum of exp(score) of each row, for the backward
};

// q f32[T, H*D], k and v f32, bf16 or f16 [C, K*D], or caches of keys and of values in a format of their own
// (base/cache_format.h), D from 1 to 1024. k and v may be one value, as of latents; of such a cache in 8 or 4 bits, one
// of values. A row of sequences, i32[B, 4], is (first
// query row, number of queries, first key row, position of the first query): query i of it attends the keys
// first_key .. first_key + position + i. A sequence without queries is skipped. The caller checks the numbers (a kernel
// cannot): ranges lie inside T and C, and no query row is in two sequences. Keys beyond a query's position are not read
// for it.
AttentionResult attention(Builder& build, ValueId q, ValueId k, ValueId v, ValueId sequences,
                          const AttentionSettings& settings);

struct AttentionGradients {
  ValueId q;  // f32[T, H*D]
  ValueId k;  // f32[C, K*D]
  ValueId v;  // f32[C, K*D]
};

// With p = exp(score - lse), delta = sum_d dout*out and ds = p * (sum_d dout*v - delta) * scale: dq = ds k, dk = ds^T
// q, dv = p^T dout (Dao et al. 2022). No key row may be in two sequences. Rows in no sequence get 0.
AttentionGradients attention_backward(Builder& build, ValueId q, ValueId k, ValueId v, const AttentionResult& forward,
                                      ValueId dout, ValueId sequences, const AttentionSettings& settings);

}  // namespace headroom
