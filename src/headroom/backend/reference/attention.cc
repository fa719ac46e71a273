// Attention (ops/attention.h): online over blocks of 64 keys inside spans of 1024, both at absolute positions in the
// sequence, so that a row has the same bits whatever rows it is computed with. Masked keys are never read.
//   T query rows, H query heads, K key heads, D head size.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "headroom/backend/attention_tiles.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/weight_elements.h"

namespace headroom::reference {
namespace {

// The softmax so far: the largest score, the sum of exp(score - max), and the values weighted alike.
struct Partial {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
  float output[kMaxHeadSize] = {};
};

// Keys and values of one head, row by row, by what load_one takes.
template <class Keys, class Values>
struct Head {
  Keys keys;
  Values values;
  int64_t stride;  // elements from row to row
  int64_t size;    // D
};

// Goes on with the keys [first, end), at most 64.
template <class Query, class Keys, class Values>
void add_block(const Query* q, const Head<Keys, Values>& head, int64_t first, int64_t end, float scale,
               Partial& partial) {
  const int64_t count = end - first;
  float p[kKeyBlock];
  float new_max = partial.max;
  for (int64_t j = 0; j < count; ++j) {
    float product = 0;
    for (int64_t d = 0; d < head.size; ++d) {
      product = std::fma(load_one(q + d), load_one(head.keys + ((first + j) * head.stride + d)), product);
    }
    p[j] = scale * product;
    new_max = max(new_max, p[j]);
  }
  const float correction = exp(partial.max - new_max);
  for (int64_t j = 0; j < count; ++j) p[j] = exp(p[j] - new_max);
  partial.max = new_max;
  partial.sum = partial.sum * correction + sum_16_lanes(count, [&](int64_t j, float lane) { return lane + p[j]; });
  for (int64_t d = 0; d < head.size; ++d) {
    float chain = partial.output[d] * correction;
    for (int64_t j = 0; j < count; ++j) {
      chain = std::fma(p[j], load_one(head.values + ((first + j) * head.stride + d)), chain);
    }
    partial.output[d] = chain;
  }
}

void merge(const Partial& span, int64_t head_size, Partial& all) {
  const float new_max = max(all.max, span.max);
  const float factor_all = exp(all.max - new_max);
  const float factor_span = exp(span.max - new_max);
  all.max = new_max;
  all.sum = all.sum * factor_all + span.sum * factor_span;
  for (int64_t d = 0; d < head_size; ++d) {
    all.output[d] = all.output[d] * factor_all + span.output[d] * factor_span;
  }
}

// One row: the query q sees the first `keys` keys of its sequence. Returns log(sum of exp(score)).
template <class Query, class Keys, class Values>
float attend(const Query* q, const Head<Keys, Values>& head, int64_t keys, float scale, Query* out) {
  Partial all;
  for (int64_t span_first = 0; span_first < keys; span_first += kKeySpan) {
    const int64_t span_end = std::min(keys, span_first + kKeySpan);
    Partial span;
    for (int64_t first = span_first; first < span_end; first += kKeyBlock) {
      add_block(q, head, first, std::min(span_end, first + kKeyBlock), scale, span);
    }
    if (span_first == 0) {
      all = span;
    } else {
      merge(span, head.size, all);
    }
  }
  for (int64_t d = 0; d < head.size; ++d) store_one(out + d, all.output[d] / all.sum);
  return all.max + log(all.sum);
}

}  // namespace

void attention(const Invocation& call) {
  const int64_t heads = call.attributes.integer("heads");
  const int64_t kv_heads = call.attributes.integer("kv_heads");
  const float scale = static_cast<float>(call.attributes.real("scale"));
  const int64_t head_size = call.inputs[0].dim(1) / heads;
  float* lse = call.outputs[1].as<float>();
  std::fill_n(call.outputs[0].data, call.outputs[0].type.bytes(), std::byte{0});
  std::fill_n(lse, call.outputs[1].elements(), 0.0f);
  for (int64_t sequence = 0; sequence < call.inputs[3].dim(0); ++sequence) {
    const int32_t* numbers = call.inputs[3].as<const int32_t>() + 4 * sequence;
    const int64_t first_query = numbers[0], queries = numbers[1], first_key = numbers[2], position = numbers[3];
    for (int64_t row = first_query * heads; row < (first_query + queries) * heads; ++row) {
      const int64_t kv_head = row % heads / (heads / kv_heads);
      const int64_t offset = (first_key * kv_heads + kv_head) * head_size;
      const int64_t keys = position + row / heads - first_query + 1;
      with_elements(call.inputs[0], [&]<class Query>(const Query* q) {
        with_weights(call.inputs[1], [&](auto k) {
          with_weights(call.inputs[2], [&](auto v) {
            const Head<decltype(k), decltype(v)> head = {k + offset, v + offset, kv_heads * head_size, head_size};
            lse[row] = attend(q + row * head_size, head, keys, scale, call.outputs[0].as<Query>() + row * head_size);
          });
        });
      });
    }
  }
}

int64_t attention_scratch(const TypedNode& node, int threads) {
  const Type& q = node.inputs[0];
  const int64_t heads = node.attributes.integer("heads");
  const int64_t head_size = q.shape[1] / heads;
  const AttentionShared shared(q.shape[0], node.inputs[1].shape[0], heads, node.attributes.integer("kv_heads"),
                               head_size, node.inputs[3].shape[0]);
  return size_of(DType::f32) * (threads * attention_scratch_elements(head_size) + shared.elements());
}

}  // namespace headroom::reference

HEADROOM_KERNEL(attention, attention_scratch);
