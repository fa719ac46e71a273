// Panels of updates: with the attributes `first` and `elements` a node updates elements [first, first + elements) of
// its weight, so that what lies on disk passes through memory piece by piece. Of each tensor of the weight's size it is
// given either that panel, of any shape, or the whole, which it uses from `first` on. The kernels' side is
// backend/update_panel.h.
#pragma once

#include <string_view>

#include "headroom/graph/graph.h"

namespace headroom {

// Throws InvalidInput as ops/expect.h does unless `got` has the dtype of `type` and holds the panel; without one,
// unless it is exactly `type`.
void expect_panel(std::string_view op, std::string_view rule, const Type& type, const Type& got,
                  const Attributes& attributes);

// Elements that the node updates: the panel's, else those of `weight`.
int64_t updated_elements(const Type& weight, const Attributes& attributes);

}  // namespace headroom
