// c = a + b: residuals, and gradients where a value fans out.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// a, b: f32 of any one shape. `role` is that of the result.
ValueId add(Builder& build, ValueId a, ValueId b, Role role = Role::activation);

}  // namespace headroom
