// SwiGLU and its backward (ops/swiglu.h). Each group is read before it is written: outputs may share inputs' storage.
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {
namespace {

// An element takes so long that the processor sees few of those to come: they are asked for 2 KiB ahead.
template <class Element>
HEADROOM_INLINE void ask_ahead(const Element* element) {
  __builtin_prefetch(element + 2048 / sizeof(Element));
}

HEADROOM_INLINE F32x16 sigmoid(F32x16 g) { return F32x16(1.0f) / (F32x16(1.0f) + exp(-g)); }

}  // namespace

void swiglu(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* gate) {
    const Element* up = call.inputs[1].as<const Element>();
    split_output_elements<Element>(call, [&](int64_t begin, int64_t end, auto place) {
      const auto y = place(call.outputs[0]);
      for_each_group(begin, end, [=](int64_t i, auto n) {
        ask_ahead(gate + i);
        ask_ahead(up + i);
        const F32x16 g = load(gate + i, n);
        store(y + i, (g * sigmoid(g)) * load(up + i, n), n);
      });
    });
  });
}

void swiglu_backward(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* gate) {
    const Element* up = call.inputs[1].as<const Element>();
    const Element* dy = call.inputs[2].as<const Element>();
    split_output_elements<Element>(call, [&](int64_t begin, int64_t end, auto place) {
      const auto dgate = place(call.outputs[0]);
      const auto dup = place(call.outputs[1]);
      for_each_group(begin, end, [=](int64_t i, auto n) {
        ask_ahead(gate + i);
        ask_ahead(up + i);
        ask_ahead(dy + i);
        const F32x16 g = load(gate + i, n);
        const F32x16 d = load(dy + i, n);
        const F32x16 s = sigmoid(g);
        const F32x16 by_gate = (d * load(up + i, n)) * (s * fma(g, F32x16(1.0f) - s, F32x16(1.0f)));
        const F32x16 by_up = d * (g * s);
        store(dgate + i, by_gate, n);
        store(dup + i, by_up, n);
      });
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(swiglu);
HEADROOM_KERNEL(swiglu_backward);
