// A weight out of a block format (base/block_format.h), for the product that reads it next: such a product is defined
// as this, and then what it is of f32.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// What the format's decode says each element is; f32 of the weight's shape.
ValueId dequantize(Builder& build, ValueId weight);

}  // namespace headroom
