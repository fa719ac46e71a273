// The gradients of attention (ops/attention.h). Every probability is computed again from its score and the row's lse.
//   T query rows, H query heads, K key heads, D head size.
#include <algorithm>

#include "headroom/backend/attention_tiles.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {
namespace {

template <class Element>
struct Operands {
  explicit Operands(const Invocation& call)
      : q(call.inputs[0].as<const Element>()),
        k(call.inputs[1].as<const Element>()),
        v(call.inputs[2].as<const Element>()),
        out(call.inputs[3].as<const Element>()),
        lse(call.inputs[4].as<const float>()),
        dout(call.inputs[5].as<const Element>()),
        heads(call.attributes.integer("heads")),
        kv_heads(call.attributes.integer("kv_heads")),
        head_size(call.inputs[0].dim(1) / heads),
        scale(static_cast<float>(call.attributes.real("scale"))) {}

  const Element *q, *k, *v, *out;
  const float* lse;
  const Element* dout;
  int64_t heads, kv_heads, head_size;
  float scale;
};

struct Pair {
  float p;   // the probability
  float ds;  // the gradient of the unscaled score
};

// query = (row of q) * H + head, key = (row of k) * K + head: rows of D elements.
template <class Element>
Pair pair_of(const Operands<Element>& x, int64_t query, int64_t key) {
  const auto q = [&](int64_t d) { return load_one(x.q + query * x.head_size + d); };
  const auto dout = [&](int64_t d) { return load_one(x.dout + query * x.head_size + d); };
  const auto out = [&](int64_t d) { return load_one(x.out + query * x.head_size + d); };
  float score = 0;
  float dp = 0;
  for (int64_t d = 0; d < x.head_size; ++d) score = std::fma(q(d), load_one(x.k + key * x.head_size + d), score);
  for (int64_t d = 0; d < x.head_size; ++d) dp = std::fma(dout(d), load_one(x.v + key * x.head_size + d), dp);
  const float delta = sum_16_lanes(x.head_size, [&](int64_t d, float lane) { return std::fma(dout(d), out(d), lane); });
  const float p = exp(x.scale * score - x.lse[query]);
  return {p, (p * (dp - delta)) * x.scale};
}

// chain[d] = fma(factor, row[d], chain[d]).
template <class Element>
void accumulate(float factor, const Element* row, int64_t count, float* chain) {
  for (int64_t d = 0; d < count; ++d) chain[d] = std::fma(factor, load_one(row + d), chain[d]);
}

template <class Element>
void differentiate(const Invocation& call) {
  const Operands<Element> x(call);
  for (const Tensor& output : call.outputs) std::fill_n(output.data, output.type.bytes(), std::byte{0});
  const int64_t size = x.head_size;
  const int64_t group = x.heads / x.kv_heads;
  const auto store_row = [&](const Tensor& to, int64_t row, const float* values) {
    for (int64_t d = 0; d < size; ++d) store_one(to.as<Element>() + row * size + d, values[d]);
  };
  for (int64_t sequence = 0; sequence < call.inputs[6].dim(0); ++sequence) {
    const int32_t* numbers = call.inputs[6].as<const int32_t>() + 4 * sequence;
    const int64_t first_query = numbers[0], queries = numbers[1], first_key = numbers[2], position = numbers[3];
    if (queries <= 0) continue;
    for (int64_t i = 0; i < queries; ++i) {
      for (int64_t head = 0; head < x.heads; ++head) {
        const int64_t query = (first_query + i) * x.heads + head;
        float chain[kMaxHeadSize] = {};
        for (int64_t j = 0; j <= position + i; ++j) {
          const int64_t key = (first_key + j) * x.kv_heads + head / group;
          accumulate(pair_of(x, query, key).ds, x.k + key * size, size, chain);
        }
        store_row(call.outputs[0], query, chain);
      }
    }
    for (int64_t j = 0; j < position + queries; ++j) {
      for (int64_t kv_head = 0; kv_head < x.kv_heads; ++kv_head) {
        const int64_t key = (first_key + j) * x.kv_heads + kv_head;
        float of_key[kMaxHeadSize] = {};
        float of_value[kMaxHeadSize] = {};
        for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
          float key_chain[kMaxHeadSize] = {};
          float value_chain[kMaxHeadSize] = {};
          for (int64_t i = std::max<int64_t>(0, j - position); i < queries; ++i) {
            const int64_t query = (first_query + i) * x.heads + head;
            const Pair pair = pair_of(x, query, key);
            accumulate(pair.ds, x.q + query * size, size, key_chain);
            accumulate(pair.p, x.dout + query * size, size, value_chain);
          }
          for (int64_t d = 0; d < size; ++d) {
            of_key[d] += key_chain[d];
            of_value[d] += value_chain[d];
          }
        }
        store_row(call.outputs[1], key, of_key);
        store_row(call.outputs[2], key, of_value);
      }
    }
  }
}

}  // namespace

void attention_backward(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element*) { differentiate<Element>(call); });
}

int64_t attention_backward_scratch(const TypedNode& node, int threads) {
  const Type& q = node.inputs[0];
  const bool rounds = q.dtype != DType::f32;
  const int64_t heads = node.attributes.integer("heads");
  const int64_t head_size = q.shape[1] / heads;
  const AttentionBackwardShared shared(q.shape[0], heads, node.attributes.integer("kv_heads"), head_size,
                                       node.inputs[6].shape[0], rounds);
  return size_of(DType::f32) * (threads * attention_backward_scratch_elements(head_size, rounds) + shared.elements());
}

}  // namespace headroom::reference

HEADROOM_KERNEL(attention_backward, attention_backward_scratch);
