// Partial sums of one value joined into one: what adds the gradients of the parts of a batch as a balanced tree.
#pragma once

#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

// parts[0] + (parts[1] + (... + parts[n - 1])), element by element, instead of what target held; a copy where n is 1.
// With `add` target + (parts[0] + (...)). target and parts f32 of one shape, one part or more. The result takes
// target's storage and role.
ValueId join_partials(Builder& build, ValueId target, const std::vector<ValueId>& parts, bool add = false);

}  // namespace headroom
