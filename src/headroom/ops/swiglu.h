// SwiGLU (Shazeer 2020):  y = (gate * s) * up,  s = 1 / (1 + exp(-gate)).
//   T tokens, F features.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// gate, up: f32[T, F] (or any one shape). y likewise.
ValueId swiglu(Builder& build, ValueId gate, ValueId up);

struct SwigluGradients {
  ValueId gate;
  ValueId up;
};

// dup = dy * (gate*s),  dgate = (dy*up) * (s * (gate*(1-s) + 1)).
SwigluGradients swiglu_backward(Builder& build, ValueId gate, ValueId up, ValueId dy);

}  // namespace headroom
