// The loss head. Logits are those of matmul(x, w^T); a row's log-sum-exp that of logsumexp; a target outside [0, V) is
// ignored.
//   T tokens, F features, V vocabulary.
#include <array>
#include <cmath>

#include "headroom/backend/reference/log_sum_exp.h"

namespace headroom::reference {
namespace {

template <class Element>
float logit(const float* x, const Element* w, int64_t features) {
  float sum = 0.0f;
  for (int64_t f = 0; f < features; ++f) sum = std::fma(x[f], load_one(w + f), sum);
  return sum;
}

bool is_ignored(int32_t target, int64_t vocabulary) { return target < 0 || target >= vocabulary; }

}  // namespace

void linear_cross_entropy(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const int64_t features = x.dim(1);
  const int64_t vocabulary = call.inputs[1].dim(0);
  with_elements(call.inputs[1], [&](const auto* w) {
    call.threads.split(x.dim(0), 1, [&](int64_t begin, int64_t end, int thread) {
      float* logits = reinterpret_cast<float*>(call.scratch.data() + thread * kProductScratchBytes);
      for (int64_t t = begin; t < end; ++t) {
        const int32_t target = call.inputs[2].as<int32_t>()[t];
        float of_target = 0.0f;
        MaxAndSum whole{};
        for (int64_t tile = 0; tile < vocabulary; tile += kVocabularyTile) {
          const int64_t width = std::min(vocabulary - tile, kVocabularyTile);
          for (int64_t v = 0; v < width; ++v) {
            logits[v] = logit(x.as<float>() + t * features, w + (tile + v) * features, features);
            if (tile + v == target) of_target = logits[v];
          }
          const MaxAndSum part = max_and_sum(logits, width);
          whole = tile == 0 ? part : merge(whole, part);
        }
        const float lse = whole.max + log(whole.sum);
        call.outputs[0].as<float>()[t] = is_ignored(target, vocabulary) ? 0.0f : lse - of_target;
        call.outputs[1].as<float>()[t] = lse;
      }
    });
  });
}

void linear_cross_entropy_backward(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const float* lse = call.inputs[3].as<float>();
  const float scale = call.inputs[4].as<float>()[0];
  const bool from_zero = call.inputs.size() == 5;
  const bool trains = !call.attributes.has("frozen");  // otherwise dx is the only output
  float* dw = trains ? call.outputs[0].as<float>() : nullptr;
  float* dx = call.outputs[trains ? 1 : 0].as<float>();
  const int64_t tokens = x.dim(0);
  const int64_t features = x.dim(1);
  const int64_t vocabulary = call.inputs[1].dim(0);
  with_elements(call.inputs[1], [&](const auto* w) {
    // The gradient of logit (t, v).
    const auto dlogit = [&](int64_t t, int64_t v) {
      const int32_t target = call.inputs[2].as<int32_t>()[t];
      if (is_ignored(target, vocabulary)) return 0.0f;
      const float share = exp(logit(x.as<float>() + t * features, w + v * features, features) - lse[t]);
      return (share - (v == target ? 1.0f : 0.0f)) * scale;
    };
    call.threads.split(tokens, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        for (int64_t f = 0; f < features; ++f) dx[t * features + f] = 0.0f;
        for (int64_t v = 0; v < vocabulary; ++v) {
          const float d = dlogit(t, v);
          for (int64_t f = 0; f < features; ++f) {
            dx[t * features + f] = std::fma(d, load_one(w + v * features + f), dx[t * features + f]);
          }
        }
      }
    });
    if (!trains) return;
    call.threads.split(vocabulary, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t v = begin; v < end; ++v) {
        for (int64_t f = 0; f < features && from_zero; ++f) dw[v * features + f] = 0.0f;
        for (int64_t t = 0; t < tokens; ++t) {
          const float d = dlogit(t, v);
          for (int64_t f = 0; f < features; ++f) {
            dw[v * features + f] = std::fma(d, x.as<float>()[t * features + f], dw[v * features + f]);
          }
        }
      }
    });
  });
}

// By definition the two above, one after the other. lse waits in scratch, behind what they use.
void linear_cross_entropy_with_gradients(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const Tensor lse{call.scratch.data() + product_scratch_bytes(call.threads.count()), f32({x.dim(0)})};
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

}  // namespace headroom::reference

HEADROOM_KERNEL(linear_cross_entropy);
HEADROOM_KERNEL(linear_cross_entropy_backward);
HEADROOM_KERNEL(linear_cross_entropy_with_gradients);
