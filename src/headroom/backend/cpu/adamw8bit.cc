// AdamW over 8-bit moments (ops/adamw8bit.h), in place. Threads split the blocks; a block's moments live decoded in two
// arrays on the stack while it is updated.
#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/random_words.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/stochastic_rounding.h"
#include "headroom/backend/update_panel.h"
#include "headroom/base/dynamic_map.h"

namespace headroom::HEADROOM_ISA {
namespace {

constexpr DynamicBins<true> kSignedBins(kSignedMap);
constexpr DynamicBins<false> kUnsignedBins(kUnsignedMap);

struct alignas(64) Moment {
  float at[kDynamicBlock];
};

// The entries of the map, not yet multiplied with the block's scale.
HEADROOM_INLINE void decode(const DynamicMap& map, const uint8_t* codes, int64_t count, Moment& moment) {
  for (int64_t i = 0; i < count; ++i) moment.at[i] = map.values[codes[i]];
}

// Divides by `largest`, and writes the codes; `moment` is used up.
template <bool kSigned>
HEADROOM_INLINE void encode(const DynamicMap& map, const DynamicBins<kSigned>& bins, float largest, int64_t count,
                            Moment& moment, uint8_t* codes) {
  using Bins = DynamicBins<kSigned>;
  const F32x16 inverse = F32x16(1.0f) / max(F32x16(largest), F32x16(kLeastDynamicScale));
  alignas(64) int32_t bin[kDynamicBlock];
  for_each_group(0, count, [&](int64_t i, auto n) {
    const F32x16 x = load(moment.at + i, n) * inverse;
    const F32x16 within = min_or_second(F32x16(1.0f), max_or_second(F32x16(-1.0f), select(is_nan(x), F32x16(0.0f), x)));
    const I32x16 bits = bits_of(within);
    const I32x16 magnitude = shift_right<Bins::kShift>(bits & I32x16(INT32_MAX));
    I32x16 place = max(magnitude - I32x16(Bins::kFirst), I32x16(0));
    if constexpr (kSigned) place = place + (shift_right<31>(bits) & I32x16(Bins::kBins));
    store(moment.at + i, within, n);
    store(reinterpret_cast<float*>(bin + i), from_bits(place), n);
  });
  for (int64_t i = 0; i < count; ++i) {
    const int code = bins.codes[static_cast<size_t>(bin[i])];
    codes[i] = static_cast<uint8_t>(code + (moment.at[i] > map.midpoints[static_cast<size_t>(code)] ? 1 : 0));
  }
}

// What the elements of a weight share.
struct Step {
  explicit Step(const Invocation& call, bool rounds)
      : beta1(static_cast<float>(call.attributes.real("beta1"))),
        beta2(static_cast<float>(call.attributes.real("beta2"))),
        one_minus_beta1(static_cast<float>(1.0 - call.attributes.real("beta1"))),
        one_minus_beta2(static_cast<float>(1.0 - call.attributes.real("beta2"))),
        eps(static_cast<float>(call.attributes.real("eps"))),
        gradient_scale(call.inputs.size() > (rounds ? 8 : 7) ? *call.inputs.back().as<const float>() : 1.0f) {
    const float* scalars = call.inputs[6].as<const float>();
    decay = fma(F32x16(-scalars[0]), F32x16(static_cast<float>(call.attributes.real("weight_decay"))), F32x16(1.0f));
    minus_rate = F32x16(-scalars[1]);
    correction = F32x16(scalars[2]);
  }

  F32x16 beta1, beta2, one_minus_beta1, one_minus_beta2, eps, gradient_scale, decay, minus_rate, correction;
};

HEADROOM_INLINE void store_weight(float* to, F32x16 w, I32x16, auto n) { store(to, w, n); }
HEADROOM_INLINE void store_weight(Bf16* to, F32x16 w, I32x16 word, Whole) {
  store_halves(to, round_to_bf16_stochastically(w, word));
}
HEADROOM_INLINE void store_weight(Bf16* to, F32x16 w, I32x16 word, int64_t n) {
  store_halves(to, round_to_bf16_stochastically(w, word), n);
}

template <class Element>
HEADROOM_INLINE void update(const Invocation& call, const Step& step, const RandomKey& key) {
  Element* weight = panel_of<Element>(call, call.outputs[0]);
  uint8_t* all_m_codes = panel_of<uint8_t>(call, call.outputs[1]);
  uint8_t* all_v_codes = panel_of<uint8_t>(call, call.outputs[3]);
  const int64_t panel_first = first_of_panel(call);
  float* m_scales = blocks_of_panel(call, call.outputs[2], kDynamicBlock);
  float* v_scales = blocks_of_panel(call, call.outputs[4], kDynamicBlock);
  const float* gradient = panel_of<const float>(call, call.inputs[5]);
  const int64_t elements = panel_elements(call, call.outputs[0].elements());
  call.threads.split(elements, 4 * kDynamicBlock, [&](int64_t begin, int64_t end, int) {
    for (int64_t first = begin; first < end; first += kDynamicBlock) {
      const int64_t count = std::min(kDynamicBlock, end - first);
      uint8_t* m_codes = all_m_codes + first;
      uint8_t* v_codes = all_v_codes + first;
      float& m_scale = m_scales[first / kDynamicBlock];
      float& v_scale = v_scales[first / kDynamicBlock];
      Moment mean;
      Moment square;
      decode(kSignedMap, m_codes, count, mean);
      decode(kUnsignedMap, v_codes, count, square);
      const F32x16 old_m_scale(m_scale);
      const F32x16 old_v_scale(v_scale);
      const F32x16 least_square = (F32x16(kUnsignedMap.midpoints[0]) * old_v_scale) * step.beta2;
      F32x16 m_largest(0.0f);
      F32x16 v_largest(0.0f);
      I32x16 words[4];
      for_each_group(0, count, [&](int64_t i, auto n) {
        if constexpr (sizeof(Element) == 2) {
          if (i % kRandomElements == 0) random_words(key, panel_first + first + i, words);
        }
        const F32x16 g = load(gradient + first + i, n) * step.gradient_scale;
        const F32x16 m = fma(g, step.one_minus_beta1, (load(mean.at + i, n) * old_m_scale) * step.beta1);
        const F32x16 v = fma(step.one_minus_beta2 * g, g, (load(square.at + i, n) * old_v_scale) * step.beta2);
        const F32x16 old = load(static_cast<const Element*>(weight) + first + i, n);
        const F32x16 divisor = sqrt(max_or_second(least_square, v)) / step.correction + step.eps;
        const F32x16 w = fma(step.minus_rate, m / divisor, old * step.decay);
        store_weight(weight + first + i, w, words[i / kLanes % 4], n);
        store(mean.at + i, m, n);
        store(square.at + i, v, n);
        m_largest = first_lanes(n, max(m_largest, absolute(m)), m_largest);
        v_largest = first_lanes(n, max(v_largest, absolute(v)), v_largest);
      });
      m_scale = max_of(m_largest);
      v_scale = max_of(v_largest);
      encode(kSignedMap, kSignedBins, m_scale, count, mean, m_codes);
      encode(kUnsignedMap, kUnsignedBins, v_scale, count, square, v_codes);
    }
  });
}

}  // namespace

void adamw8bit(const Invocation& call) {
  const size_t scale_at = call.outputs[0].type.dtype == DType::bf16 ? 8 : 7;
  const float scale = call.inputs.size() > scale_at ? *call.inputs[scale_at].as<const float>() : 1.0f;
  if (scale != scale) return;  // a skipped step
  if (call.outputs[0].type.dtype == DType::bf16) {
    update<Bf16>(call, Step(call, true), random_key_of(call.inputs[7], call.attributes));
  } else {
    update<float>(call, Step(call, false), {});
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(adamw8bit);
