// Rotary position embedding (ops/rope.h).
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

// y1 = x1*cos - x2*sin, y2 = x2*cos + x1*sin for the pairs of each head's last D features; `inverse` negates sin.
void rope(const Invocation& call) {
  const int32_t* positions = call.inputs[1].as<const int32_t>();
  const int64_t heads = call.attributes.integer("heads");
  const bool inverse = call.attributes.integer("inverse") != 0;
  const bool neighbours = call.attributes.integer("pairs") != 0;
  const int64_t head_size = call.inputs[0].dim(1) / heads;
  const int64_t rotated = call.inputs[2].dim(1);
  const int64_t kept = head_size - rotated;
  const int64_t half = rotated / 2;
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    for (int64_t row = 0; row < call.inputs[0].dim(0) * heads; ++row) {
      const Element* x = rows + row * head_size;
      const float* cosines = call.inputs[2].as<const float>() + positions[row / heads] * rotated;
      Element* y = call.outputs[0].as<Element>() + row * head_size;
      for (int64_t i = 0; i < kept; ++i) y[i] = x[i];
      for (int64_t i = 0; i < half; ++i) {
        const int64_t first = kept + (neighbours ? 2 * i : i);
        const int64_t second = neighbours ? first + 1 : first + half;
        const float x1 = load_one(x + first);
        const float x2 = load_one(x + second);
        const float sine = inverse ? -cosines[half + i] : cosines[half + i];
        store_one(y + first, std::fma(-x2, sine, x1 * cosines[i]));
        store_one(y + second, std::fma(x1, sine, x2 * cosines[i]));
      }
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(rope);
