// Embedding and its backward (ops/embedding.h).
#include <algorithm>

#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/weight_elements.h"

namespace headroom::reference {

// y[t] = table[ids[t]].
void embedding(const Invocation& call) {
  const int32_t* ids = call.inputs[1].as<const int32_t>();
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.outputs[0], [&]<class Element>(const Element*) {
    Element* y = call.outputs[0].as<Element>();
    with_weights(call.inputs[0], [&](auto table) {
      for (int64_t t = 0; t < call.inputs[1].dim(0); ++t) {
        for (int64_t f = 0; f < features; ++f) {
          store_one(y + t * features + f, load_one(table + ids[t] * features + f));
        }
      }
    });
  });
}

// dtable[v] = the sum of dy[t] over the tokens t with ids[t] = v, ascending, from +0 or from the last input (sum). With
// `add` the sum starts at +0 and is added to the last input (base) once; rows without a token keep base.
void embedding_backward(const Invocation& call) {
  const int32_t* ids = call.inputs[0].as<const int32_t>();
  float* dtable = call.outputs[0].as<float>();
  const int64_t tokens = call.inputs[0].dim(0);
  const int64_t features = call.inputs[1].dim(1);
  const bool add = call.attributes.integer("add") != 0;
  const bool has_last_input = call.inputs.size() == 3;
  with_elements(call.inputs[1], [&](auto* dy) {
    for (int64_t v = 0; v < call.outputs[0].dim(0); ++v) {
      const bool has_token = std::find(ids, ids + tokens, v) != ids + tokens;
      if (!has_token && has_last_input) continue;
      for (int64_t f = 0; f < features; ++f) {
        float& element = dtable[v * features + f];  // holds the last input
        float chain = has_last_input && !add ? element : 0.0f;
        for (int64_t t = 0; t < tokens; ++t) {
          if (ids[t] == v) chain = chain + load_one(dy + t * features + f);
        }
        element = add ? element + chain : chain;
      }
    }
  });
}

// i32[V + 1] ends of the rows' runs, then i32[T] tokens.
int64_t embedding_backward_scratch(const TypedNode& node, int) {
  return (node.outputs[0].shape[0] + 1 + node.inputs[0].shape[0]) * size_of(DType::i32);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(embedding);
HEADROOM_KERNEL(embedding_backward, embedding_backward_scratch);
