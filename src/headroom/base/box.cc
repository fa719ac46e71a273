#include "headroom/base/box.h"

#include <array>
#include <span>

#include "headroom/base/errors.h"

namespace headroom {

Box Box::whole(const Shape& shape) {
  const std::array<int64_t, Shape::kMaxRank> zeros = {};
  return {Shape::from(std::span(zeros).first(static_cast<size_t>(shape.rank()))), shape};
}

void expect_inside(const Box& box, const Shape& shape) {
  ensure(box.first.rank() == shape.rank() && box.size.rank() == shape.rank(), "a box of {} dimensions in {}",
         box.size.rank(), to_string(shape));
  for (int axis = 0; axis < shape.rank(); ++axis) {
    ensure(box.size[axis] > 0 && box.first[axis] >= 0 && box.first[axis] <= shape[axis] - box.size[axis],
           "a box of {} from {} on does not lie in {}", to_string(box.size), to_string(box.first), to_string(shape));
  }
}

Run run_from(const Box& box, const Shape& shape, int64_t at) {
  Run run{.first = 0, .count = 1};
  int64_t stride = 1;        // of the axis, in the tensor
  int64_t inside = 1;        // elements of the box below the axis
  bool in_one_piece = true;  // the box below the axis
  int64_t rest = at;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    run.first += (box.first[axis] + rest % box.size[axis]) * stride;
    rest /= box.size[axis];
    if (in_one_piece) {
      inside *= box.size[axis];
      run.count = inside - at % inside;
      in_one_piece = box.size[axis] == shape[axis];
    }
    stride *= shape[axis];
  }
  return run;
}

}  // namespace headroom
