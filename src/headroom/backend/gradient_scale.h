// What an update's kernel multiplies its gradient by. Shared by all instruction sets: inlined, so that no copy made for
// one of them reaches another.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom {

// Input `place` of an update, or 1 without it. The random key, which a weight in bf16 brings as its last input, does
// not count. NaN: the step is skipped, and everything stays as it is.
[[gnu::always_inline]] inline float gradient_scale_of(const Invocation& call, size_t place) {
  const size_t count = call.inputs.size() - (call.outputs[0].type.dtype == DType::bf16 ? 1 : 0);
  return count > place ? *call.inputs[place].as<const float>() : 1.0f;
}

}  // namespace headroom
