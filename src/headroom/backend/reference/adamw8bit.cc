// AdamW over 8-bit moments (ops/adamw8bit.h), in place, block by block.
#include <algorithm>

#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/random_word.h"
#include "headroom/backend/stochastic_rounding.h"
#include "headroom/backend/update_panel.h"
#include "headroom/base/dynamic_map.h"

namespace headroom::reference {
namespace {

// Codes and scale of one moment of one block.
void encode(const DynamicMap& map, const float* moment, int64_t count, uint8_t* codes, float* scale) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = max(largest, std::fabs(moment[i]));
  *scale = largest;
  const float inverse = 1.0f / max(largest, kLeastDynamicScale);
  for (int64_t i = 0; i < count; ++i) {
    const float x = moment[i] * inverse;
    const float within = x != x ? 0.0f : std::clamp(x, -1.0f, 1.0f);
    codes[i] = static_cast<uint8_t>(std::lower_bound(map.midpoints.begin(), map.midpoints.end(), within) -
                                    map.midpoints.begin());
  }
}

}  // namespace

void adamw8bit(const Invocation& call) {
  const Tensor& weight = call.outputs[0];
  const int64_t panel_first = first_of_panel(call);
  const int64_t elements = panel_elements(call, weight.elements());
  uint8_t* m_codes = panel_of<uint8_t>(call, call.outputs[1]);
  float* m_scales = blocks_of_panel(call, call.outputs[2], kDynamicBlock);
  uint8_t* v_codes = panel_of<uint8_t>(call, call.outputs[3]);
  float* v_scales = blocks_of_panel(call, call.outputs[4], kDynamicBlock);
  const float* gradient = panel_of<const float>(call, call.inputs[5]);
  const float* scalars = call.inputs[6].as<const float>();
  const bool rounds = weight.type.dtype == DType::bf16;
  const RandomKey key = rounds ? random_key_of(call.inputs[7], call.attributes) : RandomKey{};
  const size_t scale_at = rounds ? 8 : 7;
  const float gradient_scale = call.inputs.size() > scale_at ? *call.inputs[scale_at].as<const float>() : 1.0f;
  if (gradient_scale != gradient_scale) return;  // a skipped step
  const float beta1 = static_cast<float>(call.attributes.real("beta1"));
  const float beta2 = static_cast<float>(call.attributes.real("beta2"));
  const float one_minus_beta1 = static_cast<float>(1.0 - call.attributes.real("beta1"));
  const float one_minus_beta2 = static_cast<float>(1.0 - call.attributes.real("beta2"));
  const float eps = static_cast<float>(call.attributes.real("eps"));
  const float decay = std::fma(-scalars[0], static_cast<float>(call.attributes.real("weight_decay")), 1.0f);
  for (int64_t block = 0; block < dynamic_blocks(elements); ++block) {
    const int64_t first = block * kDynamicBlock;
    const int64_t count = std::min(kDynamicBlock, elements - first);
    const float least_square = (kUnsignedMap.midpoints[0] * v_scales[block]) * beta2;
    float m[kDynamicBlock];
    float v[kDynamicBlock];
    for (int64_t i = 0; i < count; ++i) {
      const float g = gradient[first + i] * gradient_scale;
      m[i] = std::fma(g, one_minus_beta1, (kSignedMap.values[m_codes[first + i]] * m_scales[block]) * beta1);
      v[i] = std::fma(one_minus_beta2 * g, g, (kUnsignedMap.values[v_codes[first + i]] * v_scales[block]) * beta2);
      const float square = v[i] < least_square ? least_square : v[i];
      const float update = m[i] / (std::sqrt(square) / scalars[2] + eps);
      if (rounds) {
        Bf16* w = panel_of<Bf16>(call, weight) + first + i;
        const F32 next = std::fma(-scalars[1], update, load_one(w) * decay);
        w->bits =
            static_cast<uint16_t>(round_to_bf16_stochastically(next, random_word(key, panel_first + first + i)).v);
      } else {
        float* w = panel_of<float>(call, weight) + first + i;
        *w = std::fma(-scalars[1], update, *w * decay);
      }
    }
    encode(kSignedMap, m, count, m_codes + first, m_scales + block);
    encode(kUnsignedMap, v, count, v_codes + first, v_scales + block);
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(adamw8bit);
