// Rotary position embedding (ops/rope.h). Threads split the tokens.
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {

void rope(const Invocation& call) {
  const int32_t* positions = call.inputs[1].as<const int32_t>();
  const float* table = call.inputs[2].as<const float>();
  const int64_t heads = call.attributes.integer("heads");
  const bool inverse = call.attributes.integer("inverse") != 0;
  const int64_t head_size = call.inputs[2].dim(1);
  const int64_t half = head_size / 2;
  const F32x16 sign(inverse ? -1.0f : 1.0f);
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    split_outputs<Element>(call, call.inputs[0].dim(0), 1, half, [&](int64_t begin, int64_t end, auto place) {
      for (int64_t row = begin * heads; row < end * heads; ++row) {
        const Element* x = rows + row * head_size;
        const float* cosines = table + positions[row / heads] * head_size;
        const auto y = place(call.outputs[0]) + row * head_size;
        for_each_group(0, half, [=](int64_t i, auto n) {
          const F32x16 x1 = load(x + i, n);
          const F32x16 x2 = load(x + half + i, n);
          const F32x16 cosine = load(cosines + i, n);
          const F32x16 sine = load(cosines + half + i, n) * sign;
          store(y + i, fma(-x2, sine, x1 * cosine), n);
          store(y + (half + i), fma(x1, sine, x2 * cosine), n);
        });
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(rope);
