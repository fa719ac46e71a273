// Which elements dropout leaves out, shared by all instruction sets.
#pragma once

#include <cmath>

#include "headroom/backend/kernel.h"

namespace headroom {

// An element is left out where the 31 low bits of its random word are below this.
inline int32_t dropout_threshold(const Attributes& attributes) {
  return static_cast<int32_t>(std::llround(std::ldexp(attributes.real("rate"), 31) - 0.5));
}

}  // namespace headroom
