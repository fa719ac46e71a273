#include "headroom/base/shape.h"

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"

namespace headroom {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (const int64_t dim : dims) append(dim);
}

void Shape::append(int64_t dim) {
  ensure(rank_ < kMaxRank && dim >= 0, "a shape has up to {} dimensions of zero or more; got dimension {} of {}",
         kMaxRank, rank_ + 1, dim);
  dims_[static_cast<size_t>(rank_++)] = dim;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t dim : *this) product *= dim;
  return product;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) text += fmt::format("{}{}", axis == 0 ? "" : ", ", shape[axis]);
  return text + "]";
}

int64_t Type::bytes() const {
  return is_scalar(dtype) ? shape.elements() * size_of(dtype) : block_format(dtype).bytes(shape);
}

std::string to_string(const Type& type) { return fmt::format("{}{}", name_of(type.dtype), to_string(type.shape)); }

}  // namespace headroom
