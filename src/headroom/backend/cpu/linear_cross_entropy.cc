// The loss head without the logits of the batch: a block of tokens by a tile of the vocabulary at a time, by the
// products of matmul_product.h. Blocks and tiles ascend, and the products of the backward go on from what dx and dw
// hold, so all sums are the chains of the reference.
//   T tokens, F features, V vocabulary.
#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/log_sum_exp.h"
#include "headroom/backend/cpu/matmul_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The operands that both directions share, and the block of logits in scratch.
struct Head {
  explicit Head(const Invocation& invocation)
      : call(invocation),
        x(call.inputs[0]),
        w(call.inputs[1]),
        targets(call.inputs[2].as<int32_t>()),
        tokens(call.inputs[0].dim(0)),
        features(call.inputs[0].dim(1)),
        vocabulary(call.inputs[1].dim(0)),
        sizes(tokens, vocabulary),
        logits(reinterpret_cast<float*>(call.scratch.data() + product_scratch_bytes(call.threads.count()))),
        of_targets(logits + sizes.logits_bytes / 4) {}

  // Row v of w, as a factor of which it is row 0.
  Factor weights(int64_t v, bool transposed) const { return factor_of(w, v, transposed); }
  Factor tokens_from(int64_t t) const { return factor_of(x, t, false); }
  // The gradients of the logits, in x's format at the places of their rows.
  Factor logits_factor(bool transposed) const {
    return {reinterpret_cast<const std::byte*>(logits), x.type.dtype, sizes.logits_stride * 4 / size_of(x.type.dtype),
            transposed};
  }
  void multiply_by(const Product& product) const { multiply(product, call.threads, call.scratch.data()); }

  // logits[i, j] = x[t + i] . w[v + j]
  void compute_logits(int64_t t, int64_t rows, int64_t v, int64_t width) const {
    multiply_by({.rows = rows,
                 .columns = width,
                 .depth = features,
                 .a = tokens_from(t),
                 .b = weights(v, true),
                 .c = reinterpret_cast<std::byte*>(logits),
                 .c_stride = sizes.logits_stride,
                 .from_zero = true,
                 .decoded = decoded_of(call)});
  }
  bool is_ignored(int64_t t) const { return targets[t] < 0 || targets[t] >= vocabulary; }

  const Invocation& call;
  const Tensor& x;
  const Tensor& w;
  const int32_t* targets;
  int64_t tokens;
  int64_t features;
  int64_t vocabulary;
  LossScratch sizes;
  float* logits;
  float* of_targets;  // per token of the block: the logit of its target
};

// What tiles of the vocabulary leave of each token: the maximum of its logits, the sum, the logit of its target.
struct Tiles {
  float* max;
  float* sum;
  float* of_target;
};

// Of the tokens [t, t + rows), whose Tiles these are: goes on over the head's rows, which are those of the vocabulary
// from first_row on.
void scan_vocabulary(const Head& head, int64_t t, int64_t rows, int64_t first_row, const Tiles& tiles) {
  for (int64_t v = 0; v < head.vocabulary; v += kVocabularyTile) {
    const int64_t width = std::min(kVocabularyTile, head.vocabulary - v);
    head.compute_logits(t, rows, v, width);
    head.call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const float* row = head.logits + i * head.sizes.logits_stride;
        const MaxAndSum part = max_and_sum(row, width);
        const bool is_first = first_row + v == 0;
        const MaxAndSum whole = is_first ? part : merge({tiles.max[i], tiles.sum[i]}, part);
        tiles.max[i] = whole.max;
        tiles.sum[i] = whole.sum;
        const int64_t target = head.targets[t + i] - (first_row + v);
        if (is_first) tiles.of_target[i] = 0.0f;
        if (target >= 0 && target < width) tiles.of_target[i] = row[target];
      }
    });
  }
}

}  // namespace

void linear_cross_entropy(const Invocation& call) {
  const Head head(call);
  float* loss = call.outputs[0].as<float>();  // between tiles: the sums so far
  float* lse = call.outputs[1].as<float>();   // between tiles: the maxima so far
  for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
    const int64_t rows = std::min(kTokenBlock, head.tokens - t);
    scan_vocabulary(head, t, rows, 0, {lse + t, loss + t, head.of_targets});
    for (int64_t i = 0; i < rows; ++i) {
      lse[t + i] = log_sum_exp({lse[t + i], loss[t + i]});
      loss[t + i] = head.is_ignored(t + i) ? 0.0f : lse[t + i] - head.of_targets[i];
    }
  }
}

void linear_cross_entropy_panel(const Invocation& call) {
  const Head head(call);
  float* max = call.outputs[0].as<float>();
  float* sum = max + head.tokens;
  float* of_target = sum + head.tokens;
  for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
    scan_vocabulary(head, t, std::min(kTokenBlock, head.tokens - t), call.attributes.integer("first_row"),
                    {max + t, sum + t, of_target + t});
  }
}

void linear_cross_entropy_of_panels(const Invocation& call) {
  const int32_t* targets = call.inputs[1].as<int32_t>();
  const int64_t tokens = call.inputs[1].dim(0);
  const int64_t vocabulary = call.attributes.integer("vocabulary");
  const float* max = call.inputs[0].as<float>();
  for (int64_t t = 0; t < tokens; ++t) {
    const float lse = log_sum_exp({max[t], max[tokens + t]});
    const bool is_ignored = targets[t] < 0 || targets[t] >= vocabulary;
    call.outputs[0].as<float>()[t] = is_ignored ? 0.0f : lse - max[2 * tokens + t];
    call.outputs[1].as<float>()[t] = lse;
  }
}

namespace {

// Of the tokens [t, t + rows) and the columns [v, v + width): dlogits into the block of logits, then their part of dx
// (rows of F from `dx` on, f32) and of dw, unless the weight is frozen.
void differentiate_block(const Head& head, int64_t t, int64_t rows, int64_t v, int64_t width, std::byte* dx) {
  const float* lse = head.call.inputs[3].as<float>();
  const float scale = head.call.inputs[4].as<float>()[0];
  const bool continues = head.call.inputs.size() == 6;
  head.compute_logits(t, rows, v, width);
  head.call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = head.logits + i * head.sizes.logits_stride;
      if (head.is_ignored(t + i)) {
        std::fill(row, row + width, 0.0f);
      } else {
        differentiate_logits(row, width, head.targets[t + i] - v, lse[t + i], scale);
        with_elements(head.x, [&]<class Element>(const Element*) { round_row<Element>(row, width); });
      }
    }
  });
  head.multiply_by({.rows = rows,
                    .columns = head.features,
                    .depth = width,
                    .a = head.logits_factor(false),
                    .b = head.weights(v, false),
                    .c = dx,
                    .c_stride = head.features,
                    .from_zero = v == 0,
                    .decoded = decoded_of(head.call)});
  if (head.call.attributes.has("frozen")) return;
  head.multiply_by({.rows = width,
                    .columns = head.features,
                    .depth = rows,
                    .a = head.logits_factor(true),
                    .b = head.tokens_from(t),
                    .c = head.call.outputs[0].data + v * head.features * 4,
                    .c_stride = head.features,
                    .from_zero = t == 0 && !continues});
}

// Blocks of tokens outside, so that the chains of a block of dx can wait in scratch for their rounding.
template <class Element>
void differentiate_rounded(const Head& head) {
  float* chains = head.of_targets + head.sizes.row_bytes / 4;
  Element* dx = head.call.outputs.back().as<Element>();
  for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
    const int64_t rows = std::min(kTokenBlock, head.tokens - t);
    for (int64_t v = 0; v < head.vocabulary; v += kVocabularyTile) {
      differentiate_block(head, t, rows, v, std::min(kVocabularyTile, head.vocabulary - v),
                          reinterpret_cast<std::byte*>(chains));
    }
    split_elements(head.call.threads, rows * head.features,
                   [&](int64_t i, auto n) { store(dx + t * head.features + i, load(chains + i, n), n); });
  }
}

}  // namespace

void linear_cross_entropy_backward(const Invocation& call) {
  const Head head(call);
  switch (head.x.type.dtype) {
    case DType::bf16: return differentiate_rounded<Bf16>(head);
    case DType::f16: return differentiate_rounded<F16>(head);
    default: break;
  }
  for (int64_t v = 0; v < head.vocabulary; v += kVocabularyTile) {
    const int64_t width = std::min(kVocabularyTile, head.vocabulary - v);
    for (int64_t t = 0; t < head.tokens; t += kTokenBlock) {
      differentiate_block(head, t, std::min(kTokenBlock, head.tokens - t), v, width,
                          call.outputs.back().data + t * head.features * 4);
    }
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(linear_cross_entropy);
HEADROOM_KERNEL(linear_cross_entropy_panel);
HEADROOM_KERNEL(linear_cross_entropy_of_panels);
HEADROOM_KERNEL(linear_cross_entropy_backward);
