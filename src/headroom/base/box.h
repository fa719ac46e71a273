// Parts of tensors, and how the elements of two parts go together.
#pragma once

#include <algorithm>
#include <cstdint>

#include "headroom/base/shape.h"

namespace headroom {

// Along each axis of a tensor, `size` elements from `first` on.
struct Box {
  Shape first;
  Shape size;

  static Box whole(const Shape& shape);
  int64_t elements() const { return size.elements(); }
};

// Throws InternalError unless the box lies within a tensor of that shape.
void expect_inside(const Box& box, const Shape& shape);

// Elements that lie in one piece in a tensor.
struct Run {
  int64_t first = 0;  // of the flat tensor
  int64_t count = 0;
};
// What lies in one piece from element number `at` of the box on (row-major), in a tensor of that shape.
Run run_from(const Box& box, const Shape& shape, int64_t at);

// Two boxes of as many elements: element i of one, row-major, goes with element i of the other. Calls visit(first of
// a's tensor, first of b's tensor, count) for the pieces of [begin, end) of these that lie in one piece in both
// tensors.
template <class Visit>
void for_each_run(const Box& a, const Shape& a_shape, const Box& b, const Shape& b_shape, int64_t begin, int64_t end,
                  Visit visit) {
  while (begin < end) {
    const Run of_a = run_from(a, a_shape, begin), of_b = run_from(b, b_shape, begin);
    const int64_t count = std::min({of_a.count, of_b.count, end - begin});
    visit(of_a.first, of_b.first, count);
    begin += count;
  }
}

}  // namespace headroom
