// Loss and gradients of the head in one sweep: the logits of a block of tokens over the whole vocabulary are computed
// once, turned into their gradients where they stand, and multiplied twice. Blocks ascend, and dw goes on from what it
// holds, so all sums are the chains of the reference.
//   T tokens, F features, V vocabulary.
#include <algorithm>

#include "headroom/backend/cpu/log_sum_exp.h"
#include "headroom/backend/cpu/matmul_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

// (max, sum) of a row, tile by tile as the definition has it.
MaxAndSum max_and_sum_of_tiles(const float* logits, int64_t vocabulary) {
  MaxAndSum whole = max_and_sum(logits, std::min(vocabulary, kVocabularyTile));
  for (int64_t v = kVocabularyTile; v < vocabulary; v += kVocabularyTile) {
    whole = merge(whole, max_and_sum(logits + v, std::min(kVocabularyTile, vocabulary - v)));
  }
  return whole;
}

// Turns a token's logits into their gradients, as Elements at the same place, and returns its loss.
template <class Element>
float differentiate_token(float* logits, int64_t vocabulary, int32_t target, float scale) {
  if (target < 0 || target >= vocabulary) {
    std::fill(logits, logits + vocabulary, 0.0f);
    return 0.0f;
  }
  const float lse = log_sum_exp(max_and_sum_of_tiles(logits, vocabulary));
  const float of_target = logits[target];
  differentiate_logits(logits, vocabulary, target, lse, scale);
  round_row<Element>(logits, vocabulary);
  return lse - of_target;
}

}  // namespace

void linear_cross_entropy_with_gradients(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& w = call.inputs[1];
  const int32_t* targets = call.inputs[2].as<const int32_t>();
  const float scale = call.inputs[3].as<const float>()[0];
  const bool continues = call.inputs.size() == 5;
  const int64_t tokens = x.dim(0);
  const int64_t features = x.dim(1);
  const int64_t vocabulary = w.dim(0);
  const LogitsBlockScratch block(tokens, vocabulary);
  std::byte* packing = call.scratch.data();
  std::byte* block_logits = packing + block.product_bytes(call.threads.count(), x.type.dtype, features);
  float* logits = reinterpret_cast<float*>(block_logits);
  const bool trains = !call.attributes.has("frozen");  // otherwise the outputs are dx and the loss
  std::byte* dx = call.outputs[trains ? 1 : 0].data;
  float* loss = call.outputs.back().as<float>();
  const DType format = x.type.dtype;
  const Factor d{block_logits, format, block.stride * 4 / size_of(format)};
  for (int64_t t = 0; t < tokens; t += block.tokens) {
    const int64_t rows = std::min(block.tokens, tokens - t);
    const Factor block_x = factor_of(x, t, false);
    multiply({.rows = rows,
              .columns = vocabulary,
              .depth = features,
              .a = block_x,
              .b = factor_of(w, 0, true),
              .c = block_logits,
              .c_stride = block.stride,
              .from_zero = true,
              .decoded = decoded_of(call)},
             call.threads, packing);
    call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
      with_elements(x, [&]<class Element>(const Element*) {
        for (int64_t i = begin; i < end; ++i) {
          loss[t + i] = differentiate_token<Element>(logits + i * block.stride, vocabulary, targets[t + i], scale);
        }
      });
    });
    multiply({.rows = rows,
              .columns = features,
              .depth = vocabulary,
              .a = d,
              .b = factor_of(w, 0, false),
              .c = dx + t * features * size_of(format),
              .c_stride = features,
              .from_zero = true,
              .c_dtype = format,
              .decoded = decoded_of(call)},
             call.threads, packing);
    if (!trains) continue;
    multiply({.rows = vocabulary,
              .columns = features,
              .depth = rows,
              .a = {d.data, d.dtype, d.stride, true},
              .b = block_x,
              .c = call.outputs[0].data,
              .c_stride = features,
              .from_zero = t == 0 && !continues},
             call.threads, packing);
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(linear_cross_entropy_with_gradients);
