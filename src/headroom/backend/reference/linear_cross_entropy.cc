// The loss head. Logits are those of matmul(x, w^T); a row's log-sum-exp that of logsumexp; a target outside [0, V) is
// ignored.
//   T tokens, F features, V vocabulary.
#include <algorithm>
#include <array>

#include "headroom/backend/reference/log_sum_exp.h"
#include "headroom/backend/reference/product_chain.h"
#include "headroom/backend/vocabulary_tiles.h"

namespace headroom::reference {
namespace {

template <class X, class Weight>
float logit(const X* x, Weight w, int64_t features) {
  float sum = 0.0f;
  for_each_term<X>(features, [&](int64_t f) {
    sum = f < 0 ? add_product<X>(0, 0, sum) : add_product<X>(load_one(x + f), load_for<X>(load_one(w + f)), sum);
  });
  return sum;
}

bool is_ignored(int32_t target, int64_t vocabulary) { return target < 0 || target >= vocabulary; }

// What tiles of the vocabulary leave of a token.
struct Tiles {
  MaxAndSum whole;
  float of_target;
};

// Calls visit(t, Tiles) for each token when its tiles over the rows of w are done, which are those of the vocabulary
// from first_row on; they go on from `before(t)` unless they are the first.
template <class X, class Weight, class Before, class Visit>
void scan_vocabulary(const Invocation& call, const X* x, Weight w, int64_t first_row, Before before, Visit visit) {
  const int64_t features = call.inputs[0].dim(1);
  const int64_t rows = call.inputs[1].dim(0);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int thread) {
    float* logits = reinterpret_cast<float*>(call.scratch.data() + thread * kProductScratchBytes);
    for (int64_t t = begin; t < end; ++t) {
      const int64_t target = call.inputs[2].as<int32_t>()[t] - first_row;
      Tiles tiles = first_row == 0 ? Tiles{} : before(t);
      for (int64_t tile = 0; tile < rows; tile += kVocabularyTile) {
        const int64_t width = std::min(rows - tile, kVocabularyTile);
        for (int64_t v = 0; v < width; ++v) {
          logits[v] = logit(x + t * features, w + (tile + v) * features, features);
          if (tile + v == target) tiles.of_target = logits[v];
        }
        const MaxAndSum part = max_and_sum(logits, width);
        tiles.whole = first_row + tile == 0 ? part : merge(tiles.whole, part);
      }
      visit(t, tiles);
    }
  });
}

void store_loss(const Invocation& call, int64_t t, int32_t target, int64_t vocabulary, const Tiles& tiles) {
  const float lse = tiles.whole.max + log(tiles.whole.sum);
  call.outputs[0].as<float>()[t] = is_ignored(target, vocabulary) ? 0.0f : lse - tiles.of_target;
  call.outputs[1].as<float>()[t] = lse;
}

Tiles tiles_of(const Tensor& panels, int64_t t) {
  const int64_t tokens = panels.dim(1);
  const float* of = panels.as<float>() + t;
  return {{of[0], of[tokens]}, of[2 * tokens]};
}

// The gradients of logits, too, are rounded to x's format. A row of dx runs its chains in scratch.
template <class X, class Weight>
void find_gradients(const Invocation& call, const X* x, Weight w) {
  const float* lse = call.inputs[3].as<float>();
  const float scale = call.inputs[4].as<float>()[0];
  const bool from_zero = call.inputs.size() == 5;
  const bool trains = !call.attributes.has("frozen");  // otherwise dx is the only output
  float* dw = trains ? call.outputs[0].as<float>() : nullptr;
  const int64_t tokens = call.inputs[0].dim(0);
  const int64_t features = call.inputs[0].dim(1);
  const int64_t vocabulary = call.inputs[1].dim(0);
  // The gradient of logit (t, v).
  const auto dlogit = [&](int64_t t, int64_t v) {
    const int32_t target = call.inputs[2].as<int32_t>()[t];
    if (is_ignored(target, vocabulary)) return 0.0f;
    const float share = exp(logit(x + t * features, w + v * features, features) - lse[t]);
    return load_for<X>((share - (v == target ? 1.0f : 0.0f)) * scale);
  };
  call.threads.split(tokens, 1, [&](int64_t begin, int64_t end, int thread) {
    float* row = reinterpret_cast<float*>(call.scratch.data() + thread * kProductScratchBytes);
    for (int64_t t = begin; t < end; ++t) {
      std::fill_n(row, features, 0.0f);
      for_each_term<X>(vocabulary, [&](int64_t v) {
        const float d = v < 0 ? 0.0f : dlogit(t, v);
        for (int64_t f = 0; f < features; ++f) {
          row[f] = add_product<X>(d, v < 0 ? 0.0f : load_for<X>(load_one(w + v * features + f)), row[f]);
        }
      });
      for (int64_t f = 0; f < features; ++f) store_one(call.outputs.back().as<X>() + t * features + f, row[f]);
    }
  });
  if (!trains) return;
  call.threads.split(vocabulary, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t v = begin; v < end; ++v) {
      for (int64_t f = 0; f < features && from_zero; ++f) dw[v * features + f] = 0.0f;
      for_each_term<X>(tokens, [&](int64_t t) {
        const float d = t < 0 ? 0.0f : dlogit(t, v);
        for (int64_t f = 0; f < features; ++f) {
          float& sum = dw[v * features + f];
          sum = add_product<X>(d, t < 0 ? 0.0f : load_one(x + t * features + f), sum);
        }
      });
    }
  });
}

}  // namespace

void linear_cross_entropy(const Invocation& call) {
  const auto store = [&](int64_t t, const Tiles& tiles) {
    store_loss(call, t, call.inputs[2].as<int32_t>()[t], call.inputs[1].dim(0), tiles);
  };
  with_elements(call.inputs[0], [&](auto* x) {
    with_weights(call.inputs[1], [&](auto w) {
      scan_vocabulary(
          call, x, w, 0, [](int64_t) { return Tiles{}; }, store);
    });
  });
}

void linear_cross_entropy_panel(const Invocation& call) {
  const Tensor& left = call.outputs[0];
  const int64_t tokens = left.dim(1);
  const auto store = [&](int64_t t, const Tiles& tiles) {
    float* to = left.as<float>() + t;
    to[0] = tiles.whole.max;
    to[tokens] = tiles.whole.sum;
    to[2 * tokens] = tiles.of_target;
  };
  const int64_t first_row = call.attributes.integer("first_row");
  with_elements(call.inputs[0], [&](auto* x) {
    with_weights(call.inputs[1], [&](auto w) {
      scan_vocabulary(
          call, x, w, first_row, [&](int64_t t) { return tiles_of(call.inputs[3], t); }, store);
    });
  });
}

void linear_cross_entropy_of_panels(const Invocation& call) {
  const int64_t vocabulary = call.attributes.integer("vocabulary");
  for (int64_t t = 0; t < call.inputs[1].dim(0); ++t) {
    store_loss(call, t, call.inputs[1].as<int32_t>()[t], vocabulary, tiles_of(call.inputs[0], t));
  }
}

void linear_cross_entropy_backward(const Invocation& call) {
  with_elements(call.inputs[0],
                [&](auto* x) { with_weights(call.inputs[1], [&](auto w) { find_gradients(call, x, w); }); });
}

// By definition the two above, one after the other. lse waits in scratch, behind what they use.
void linear_cross_entropy_with_gradients(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const LogitsBlockScratch block(x.dim(0), call.inputs[1].dim(0));
  const Tensor lse{call.scratch.data() + block.product_bytes(call.threads.count(), x.type.dtype, x.dim(1)),
                   f32({x.dim(0)})};
  const std::array<Tensor, 2> losses = {call.outputs.back(), lse};
  linear_cross_entropy({call.inputs.first(3), losses, call.attributes, call.scratch, call.threads});
  std::array<Tensor, 6> inputs;  // x, weight, targets, lse, scale and the sum, where there is one
  std::copy_n(call.inputs.begin(), 3, inputs.begin());
  inputs[3] = lse;
  std::copy(call.inputs.begin() + 3, call.inputs.end(), inputs.begin() + 4);
  linear_cross_entropy_backward({std::span<const Tensor>(inputs).first(call.inputs.size() + 1),
                                 call.outputs.first(call.outputs.size() - 1), call.attributes, call.scratch,
                                 call.threads});
}

int64_t linear_cross_entropy_scratch(const TypedNode& node, int threads) {
  return LossScratch(node.inputs[0].shape[0], node.inputs[1].shape[0]).bytes(threads) +
         decoded_scratch_bytes(node.inputs[1].dtype, threads);
}

int64_t linear_cross_entropy_backward_scratch(const TypedNode& node, int threads) {
  const Type& x = node.inputs[0];
  return linear_cross_entropy_scratch(node, threads) +
         (x.dtype == DType::f32 ? 0 : LossScratch::rounded_bytes(x.shape[0], x.shape[1]));
}

int64_t linear_cross_entropy_with_gradients_scratch(const TypedNode& node, int threads) {
  const Type& x = node.inputs[0];
  return LogitsBlockScratch(x.shape[0], node.inputs[1].shape[0]).bytes(threads, x.dtype, x.shape[1]) +
         decoded_scratch_bytes(node.inputs[1].dtype, threads);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(linear_cross_entropy, linear_cross_entropy_scratch);
HEADROOM_KERNEL(linear_cross_entropy_panel, linear_cross_entropy_scratch);
HEADROOM_KERNEL(linear_cross_entropy_of_panels);
HEADROOM_KERNEL(linear_cross_entropy_backward, linear_cross_entropy_backward_scratch);
HEADROOM_KERNEL(linear_cross_entropy_with_gradients, linear_cross_entropy_with_gradients_scratch);
