// The loss head without the logits of the batch: a block of tokens by a tile of the vocabulary at a time, by the
// products of matmul_product.h. Blocks and tiles ascend, and the products of the backward go on from what dx and dw
// hold, so all sums are the chains of the reference.
//   T tokens, F features, V vocabulary.
#include <algorithm>

#include "headroom/backend/cpu/log_sum_exp.h"
#include "headroom/backend/cpu/matmul_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The operands that both directions share, and the block of logits in scratch.
struct Head {
  explicit Head(const Invocation& invocation)
      : call(invocation),
        x(call.inputs[0].as<float>()),
        w(call.inputs[1]),
        targets(call.inputs[2].as<int32_t>()),
        tokens(call.inputs[0].dim(0)),
        features(call.inputs[0].dim(1)),
        vocabulary(call.inputs[1].dim(0)),
        sizes(tokens, vocabulary),
        logits(reinterpret_cast<float*>(call.scratch.data() + product_scratch_bytes(call.threads.count()))),
        of_targets(logits + sizes.logits_bytes / 4) {}

  // Row v of w, as a factor of which it is row 0.
  Factor weights(int64_t v, bool transposed) const {
    return {w.data + v * features * size_of(w.type.dtype), w.type.dtype, features, transposed};
  }
  Factor tokens_from(int64_t t) const {
    return {reinterpret_cast<const std::byte*>(x + t * features), DType::f32, features};
  }
  Factor logits_factor(bool transposed) const {
    return {reinterpret_cast<const std::byte*>(logits), DType::f32, sizes.logits_stride, transposed};
  }
  void multiply_by(const Product& product) const { multiply(product, call.threads, call.scratch.data()); }

  // logits[i, j] = x[t + i] . w[v + j]
  void compute_logits(int64_t t, int64_t rows, int64_t v, int64_t width) const {
    multiply_by({.rows = rows,
                 .columns = width,
                 .depth = features,
                 .a = tokens_from(t),
                 .b = weights(v, true),
                 .c = logits,
                 .c_stride = sizes.logits_stride,
                 .from_zero = true});
  }
  bool is_ignored(int64_t t) const { return targets[t] < 0 || targets[t] >= vocabulary; }

  const Invocation& call;
  const float* x;
  const Tensor& w;
  const int32_t* targets;
  int64_t tokens;
  int64_t features;
  int64_t vocabulary;
  LossScratch sizes;
  float* logits;
  float* of_targets;  // per token of the block: the logit of its target
};

}  // namespace

void linear_cross_entropy(const Invocation& call) {
  const Head head(call);
  float* loss = call.outputs[0].as<float>();  // between tiles: the sums so far
  float* lse = call.outputs[1].as<float>();   // between tiles: the maxima so far
  for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
    const int64_t rows = std::min(kTokenBlock, head.tokens - t);
    for (int64_t v = 0; v < head.vocabulary; v += kVocabularyTile) {
      const int64_t width = std::min(kVocabularyTile, head.vocabulary - v);
      head.compute_logits(t, rows, v, width);
      call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const float* row = head.logits + i * head.sizes.logits_stride;
          const MaxAndSum part = max_and_sum(row, width);
          const MaxAndSum whole = v == 0 ? part : merge({lse[t + i], loss[t + i]}, part);
          lse[t + i] = whole.max;
          loss[t + i] = whole.sum;
          const int64_t target = head.targets[t + i] - v;
          if (target >= 0 && target < width) head.of_targets[i] = row[target];
        }
      });
    }
    for (int64_t i = 0; i < rows; ++i) {
      lse[t + i] = log_sum_exp({lse[t + i], loss[t + i]});
      loss[t + i] = head.is_ignored(t + i) ? 0.0f : lse[t + i] - head.of_targets[i];
    }
  }
}

void linear_cross_entropy_backward(const Invocation& call) {
  const Head head(call);
  const float* lse = call.inputs[3].as<float>();
  const float scale = call.inputs[4].as<float>()[0];
  const bool continues = call.inputs.size() == 6;
  const bool trains = !call.attributes.has("frozen");  // otherwise dx is the only output
  float* dw = trains ? call.outputs[0].as<float>() : nullptr;
  float* dx = call.outputs[trains ? 1 : 0].as<float>();
  for (int64_t v = 0; v < head.vocabulary; v += kVocabularyTile) {
    const int64_t width = std::min(kVocabularyTile, head.vocabulary - v);
    for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
      const int64_t rows = std::min(kTokenBlock, head.tokens - t);
      head.compute_logits(t, rows, v, width);
      call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          float* row = head.logits + i * head.sizes.logits_stride;
          if (head.is_ignored(t + i)) {
            std::fill(row, row + width, 0.0f);
          } else {
            differentiate_logits(row, width, head.targets[t + i] - v, lse[t + i], scale);
          }
        }
      });
      head.multiply_by({.rows = rows,
                        .columns = head.features,
                        .depth = width,
                        .a = head.logits_factor(false),
                        .b = head.weights(v, false),
                        .c = dx + t * head.features,
                        .c_stride = head.features,
                        .from_zero = v == 0});
      if (!trains) continue;
      head.multiply_by({.rows = width,
                        .columns = head.features,
                        .depth = rows,
                        .a = head.logits_factor(true),
                        .b = head.tokens_from(t),
                        .c = dw + v * head.features,
                        .c_stride = head.features,
                        .from_zero = t == 0 && !continues});
    }
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(linear_cross_entropy);
HEADROOM_KERNEL(linear_cross_entropy_backward);
