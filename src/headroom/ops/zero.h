// Zeros in the storage of a value: the start of a sum that several steps continue.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x of any type; the result takes x's storage and role.
ValueId zero(Builder& build, ValueId x);

}  // namespace headroom
