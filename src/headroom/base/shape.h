// Shape: up to four dimensions, no heap. Type: a shape with the format of its elements.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "headroom/base/dtype.h"

namespace headroom {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  // Throws InternalError beyond four dimensions or below zero; readers of files check first.
  Shape(std::initializer_list<int64_t> dims);
  template <class Dims>
  static Shape from(const Dims& dims) {
    Shape shape;
    for (const int64_t dim : dims) shape.append(dim);
    return shape;
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  int64_t elements() const;
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }
  bool operator==(const Shape&) const = default;

 private:
  void append(int64_t dim);

  std::array<int64_t, kMaxRank> dims_ = {};
  int rank_ = 0;
};

// "[508, 64]".
std::string to_string(const Shape& shape);

struct Type {
  DType dtype = DType::f32;
  Shape shape;

  // Throws InvalidInput for a block format that a tensor of the shape cannot be kept in.
  int64_t bytes() const;
  bool operator==(const Type&) const = default;
};

inline Type f32(Shape shape) { return {DType::f32, shape}; }
inline Type f64(Shape shape) { return {DType::f64, shape}; }
inline Type i32(Shape shape) { return {DType::i32, shape}; }
inline Type u8(Shape shape) { return {DType::u8, shape}; }

// "f32[508, 64]".
std::string to_string(const Type& type);

}  // namespace headroom
