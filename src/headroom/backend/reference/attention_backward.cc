// The gradients of attention (ops/attention.h). Every probability is computed again from its score and the row's lse.
//   T query rows, H query heads, K key heads, D head size.
#include <algorithm>

#include "headroom/backend/attention_tiles.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {
namespace {

struct Operands {
  explicit Operands(const Invocation& call)
      : q(call.inputs[0].as<const float>()),
        k(call.inputs[1].as<const float>()),
        v(call.inputs[2].as<const float>()),
        out(call.inputs[3].as<const float>()),
        lse(call.inputs[4].as<const float>()),
        dout(call.inputs[5].as<const float>()),
        heads(call.attributes.integer("heads")),
        kv_heads(call.attributes.integer("kv_heads")),
        head_size(call.inputs[0].dim(1) / heads),
        scale(static_cast<float>(call.attributes.real("scale"))) {}

  const float *q, *k, *v, *out, *lse, *dout;
  int64_t heads, kv_heads, head_size;
  float scale;
};

struct Pair {
  float p;   // the probability
  float ds;  // the gradient of the unscaled score
};

// query = (row of q) * H + head, key = (row of k) * K + head: rows of D elements.
Pair pair_of(const Operands& x, int64_t query, int64_t key) {
  const float* q = x.q + query * x.head_size;
  const float* dout = x.dout + query * x.head_size;
  const float* out = x.out + query * x.head_size;
  float score = 0;
  float dp = 0;
  for (int64_t d = 0; d < x.head_size; ++d) score = std::fma(q[d], x.k[key * x.head_size + d], score);
  for (int64_t d = 0; d < x.head_size; ++d) dp = std::fma(dout[d], x.v[key * x.head_size + d], dp);
  const float delta = sum_16_lanes(x.head_size, [&](int64_t d, float lane) { return std::fma(dout[d], out[d], lane); });
  const float p = exp(x.scale * score - x.lse[query]);
  return {p, (p * (dp - delta)) * x.scale};
}

// chain[d] = fma(factor, row[d], chain[d]).
void accumulate(float factor, const float* row, int64_t count, float* chain) {
  for (int64_t d = 0; d < count; ++d) chain[d] = std::fma(factor, row[d], chain[d]);
}

}  // namespace

void attention_backward(const Invocation& call) {
  const Operands x(call);
  float* dq = call.outputs[0].as<float>();
  float* dk = call.outputs[1].as<float>();
  float* dv = call.outputs[2].as<float>();
  for (const Tensor& output : call.outputs) std::fill_n(output.as<float>(), output.elements(), 0.0f);
  const int64_t group = x.heads / x.kv_heads;
  for (int64_t sequence = 0; sequence < call.inputs[6].dim(0); ++sequence) {
    const int32_t* numbers = call.inputs[6].as<const int32_t>() + 4 * sequence;
    const int64_t first_query = numbers[0], queries = numbers[1], first_key = numbers[2], position = numbers[3];
    if (queries <= 0) continue;
    for (int64_t i = 0; i < queries; ++i) {
      for (int64_t head = 0; head < x.heads; ++head) {
        const int64_t query = (first_query + i) * x.heads + head;
        for (int64_t j = 0; j <= position + i; ++j) {
          const int64_t key = (first_key + j) * x.kv_heads + head / group;
          accumulate(pair_of(x, query, key).ds, x.k + key * x.head_size, x.head_size, dq + query * x.head_size);
        }
      }
    }
    for (int64_t j = 0; j < position + queries; ++j) {
      for (int64_t head = 0; head < x.heads; ++head) {
        const int64_t key = (first_key + j) * x.kv_heads + head / group;
        float key_chain[kMaxHeadSize] = {};
        float value_chain[kMaxHeadSize] = {};
        for (int64_t i = std::max<int64_t>(0, j - position); i < queries; ++i) {
          const int64_t query = (first_query + i) * x.heads + head;
          const Pair pair = pair_of(x, query, key);
          accumulate(pair.ds, x.q + query * x.head_size, x.head_size, key_chain);
          accumulate(pair.p, x.dout + query * x.head_size, x.head_size, value_chain);
        }
        for (int64_t d = 0; d < x.head_size; ++d) {
          dk[key * x.head_size + d] += key_chain[d];
          dv[key * x.head_size + d] += value_chain[d];
        }
      }
    }
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(attention_backward);
