// Where some rows of a tensor lie, in whole pages.
#pragma once

#include <cstdint>

#include "headroom/base/shape.h"

namespace headroom {

struct RowSpan {
  // The pages that hold rows [first, end) of a tensor of type `type`, whose first row begins a page; panels of a KV
  // cache's format whole.
  RowSpan(const Type& type, int64_t first, int64_t end);

  int64_t first_byte;
  int64_t end_byte;
};

}  // namespace headroom
