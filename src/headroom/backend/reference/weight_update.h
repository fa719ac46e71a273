// The loop of updates: a weight in f32 is stored as it comes, one in bf16 rounded stochastically.
#pragma once

#include "headroom/backend/gradient_scale.h"
#include "headroom/backend/reference/random_word.h"
#include "headroom/backend/stochastic_rounding.h"
#include "headroom/backend/update_panel.h"

namespace headroom::reference {

// w[i] = next(i, w[i]) for the elements of output 0, or of its panel.
template <class Next>
void update_weight(const Invocation& call, Next&& next) {
  const Tensor& weight = call.outputs[0];
  const int64_t count = panel_elements(call, weight.elements());
  for (int64_t i = 0; i < count; ++i) {
    if (weight.type.dtype == DType::f32) {
      float& w = panel_of<float>(call, weight)[i];
      w = next(i, w);
      continue;
    }
    Bf16* w = panel_of<Bf16>(call, weight) + i;
    const F32 updated(next(i, load_one(w)));
    const I32 word = random_word(random_key_of(call.inputs.back(), call.attributes), first_of_panel(call) + i);
    w->bits = static_cast<uint16_t>(round_to_bf16_stochastically(updated, word).v);
  }
}

}  // namespace headroom::reference
