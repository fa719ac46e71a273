// Dropout (ops/dropout.h).
#include "headroom/backend/dropout_mask.h"
#include "headroom/backend/reference/random_word.h"

namespace headroom::reference {

void dropout(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first = call.inputs[2].as<const int32_t>()[0] * x.dim(1);
  const int32_t threshold = dropout_threshold(call.attributes);
  const float factor = static_cast<float>(call.attributes.real("factor"));
  for (int64_t i = 0; i < x.elements(); ++i) {
    const bool is_left_out = (random_word(key, first + i).v & INT32_MAX) < threshold;
    call.outputs[0].as<float>()[i] = is_left_out ? 0.0f : x.as<const float>()[i] * factor;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(dropout);
