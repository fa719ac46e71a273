// The loop of updates: a weight in f32 is stored as it comes, one in bf16 rounded stochastically, by random words that
// depend on the element alone.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/random_words.h"
#include "headroom/backend/gradient_scale.h"
#include "headroom/backend/stochastic_rounding.h"
#include "headroom/backend/update_panel.h"

namespace headroom::HEADROOM_ISA {

// Calls next(i, n, w), the weights' new values, for the groups of elements of output 0, or of its panel, which hold w.
// A panel of a bf16 weight begins at a multiple of kRandomElements.
template <class Next>
HEADROOM_INLINE void update_weight(const Invocation& call, Next&& next) {
  const Tensor& weight = call.outputs[0];
  const int64_t count = panel_elements(call, weight.elements());
  if (weight.type.dtype == DType::f32) {
    float* w = panel_of<float>(call, weight);
    return split_elements(call.threads, count, [&](int64_t i, auto n) { store(w + i, next(i, n, load(w + i, n)), n); });
  }
  Bf16* w = panel_of<Bf16>(call, weight);
  const int64_t panel_first = first_of_panel(call);
  const RandomKey key = random_key_of(call.inputs.back(), call.attributes);
  const int64_t blocks = (count + kRandomElements - 1) / kRandomElements;
  call.threads.split(blocks, kElementGrain / kRandomElements, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kRandomElements;
      I32x16 words[4];
      random_words(key, panel_first + first, words);
      const int64_t last = std::min(first + kRandomElements, count);
      for_each_group(first, last, [&](int64_t i, auto n) {
        const F32x16 updated = next(i, n, load(w + i, n));
        store_halves(w + i, round_to_bf16_stochastically(updated, words[(i - first) / kLanes]), n);
      });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA
