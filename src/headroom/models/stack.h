// Values that are stacks: of several tensors of files, one behind the other, as the experts of a layer are.
#pragma once

#include "headroom/graph/binding.h"

namespace headroom {

// Whether slice i of the binding of a value of `shape`, [n, ...], is a whole tensor and the value's part number i, of n
// > 1. Files hold those elements under the names of the slices, and nothing under the value's.
bool is_stack(const Binding& binding, const Shape& shape);

}  // namespace headroom
