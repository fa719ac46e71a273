// Random words and stochastic rounding as kernels: input 0 is rounded, or only counted for random_words; input 1 is the
// random key.
#include "headroom/backend/stochastic_rounding.h"
#if defined(HEADROOM_ISA_reference)
#include "headroom/backend/reference/random_word.h"
#else
#include "headroom/backend/cpu/random_words.h"
#endif

namespace headroom::HEADROOM_ISA {
namespace {

// function(x, word) as an integer for each element of input 0, into output 0.
template <class Function>
void map(const Invocation& call, Function function) {
  const float* x = call.inputs[0].as<float>();
  int32_t* y = call.outputs[0].as<int32_t>();
  const int64_t count = call.inputs[0].elements();
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first = call.attributes.integer("first");
#if defined(HEADROOM_ISA_reference)
  for (int64_t i = 0; i < count; ++i) y[i] = function(F32(x[i]), random_word(key, first + i)).v;
#else
  for (int64_t i = 0; i < count; i += kRandomElements) {
    I32x16 words[4];
    random_words(key, first + i, words);
    for (int64_t group = 0; group < 4; ++group) {
      const int64_t at = i + group * kLanes;
      const int64_t n = count - at < kLanes ? count - at : kLanes;
      if (n <= 0) return;
      store(reinterpret_cast<float*>(y) + at, from_bits(function(load(x + at, n), words[group])), n);
    }
  }
#endif
}

}  // namespace

void probe_random_words(const Invocation& call) {
  map(call, [](auto, auto word) { return word; });
}
void probe_round_to_bf16(const Invocation& call) {
  map(call, [](auto x, auto word) { return round_to_bf16_stochastically(x, word); });
}
void probe_round_to_integer(const Invocation& call) {
  map(call, [](auto x, auto word) { return round_to_integer_stochastically(x, word); });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(probe_random_words);
HEADROOM_KERNEL(probe_round_to_bf16);
HEADROOM_KERNEL(probe_round_to_integer);
