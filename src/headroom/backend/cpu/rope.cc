// Rotary position embedding (ops/rope.h). Threads split the tokens.
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {
namespace {

// A head's last features, and the row of the table that turns them.
template <class Element, class Place>
struct RotatedHead {
  const Element* x;
  Place y;
  const float* cosines;
  int64_t half;
  bool inverse;
};

template <class Element, class Place>
HEADROOM_INLINE void turn_halves(const RotatedHead<Element, Place>& head) {
  const F32x16 sign(head.inverse ? -1.0f : 1.0f);
  for_each_group(0, head.half, [=](int64_t i, auto n) {
    const F32x16 x1 = load(head.x + i, n);
    const F32x16 x2 = load(head.x + head.half + i, n);
    const F32x16 cosine = load(head.cosines + i, n);
    const F32x16 sine = load(head.cosines + head.half + i, n) * sign;
    store(head.y + i, fma(-x2, sine, x1 * cosine), n);
    store(head.y + (head.half + i), fma(x1, sine, x2 * cosine), n);
  });
}

// Eight pairs at a time, taken apart and put together in a buffer.
template <class Element, class Place>
HEADROOM_INLINE void turn_neighbours(const RotatedHead<Element, Place>& head) {
  const float sign = head.inverse ? -1.0f : 1.0f;
  for_each_group(0, 2 * head.half, [=](int64_t i, auto n) {
    alignas(64) float pairs[kLanes];
    store(pairs, load(head.x + i, n));
    const float* cosines = head.cosines + i / 2;
    const float* sines = cosines + head.half;
    for (int64_t k = 0; 2 * k < n; ++k) {
      const float x1 = pairs[2 * k], x2 = pairs[2 * k + 1], sine = sines[k] * sign;
      pairs[2 * k] = __builtin_fmaf(-x2, sine, x1 * cosines[k]);
      pairs[2 * k + 1] = __builtin_fmaf(x1, sine, x2 * cosines[k]);
    }
    store(head.y + i, load(pairs), n);
  });
}

}  // namespace

void rope(const Invocation& call) {
  const int32_t* positions = call.inputs[1].as<const int32_t>();
  const float* table = call.inputs[2].as<const float>();
  const int64_t heads = call.attributes.integer("heads");
  const bool inverse = call.attributes.integer("inverse") != 0;
  const bool neighbours = call.attributes.integer("pairs") != 0;
  const int64_t head_size = call.inputs[0].dim(1) / heads;
  const int64_t rotated = call.inputs[2].dim(1);
  const int64_t kept = head_size - rotated;
  // Groups of elements begin at whole lines where all of these do.
  const int64_t row = kept % kLanes == 0 ? (neighbours ? rotated : rotated / 2) : 1;
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    split_outputs<Element>(call, call.inputs[0].dim(0), 1, row, [&](int64_t begin, int64_t end, auto place) {
      for (int64_t index = begin * heads; index < end * heads; ++index) {
        const Element* x = rows + index * head_size;
        const auto y = place(call.outputs[0]) + index * head_size;
        for_each_group(0, kept, [=](int64_t i, auto n) { store(y + i, load(x + i, n), n); });
        const RotatedHead<Element, decltype(y + kept)> head = {
            x + kept, y + kept, table + positions[index / heads] * rotated, rotated / 2, inverse};
        neighbours ? turn_neighbours(head) : turn_halves(head);
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(rope);
