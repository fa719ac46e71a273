// Block formats: the elements of a tensor in few bits, beside the scales that blocks of them share. One file a format
// (base/nf4.cc), found by name through a table that the linker collects: adding a format edits no list. How the bytes
// lie depends on nothing but format and shape, never on the instruction set, because plans do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "headroom/base/shape.h"

namespace headroom {

class BlockFormat {
 public:
  // `block_elements`: of the flat tensor, those that share bytes; at most 256, or 0 where that depends on the shape.
  constexpr BlockFormat(std::string_view name, int64_t block_elements) : name_(name), block_elements_(block_elements) {}
  virtual ~BlockFormat() = default;
  BlockFormat(const BlockFormat&) = delete;
  BlockFormat& operator=(const BlockFormat&) = delete;

  std::string_view name() const { return name_; }  // "nf4"
  virtual int64_t block_elements(const Shape&) const { return block_elements_; }
  DType dtype() const;  // its number

  // Of a tensor. Throws InvalidInput where rows must be whole blocks and are not.
  virtual int64_t bytes(const Shape& shape) const = 0;

  // Elements [first, first + count) of the tensor that lies at `tensor` (unaligned), in f32: what they are, by
  // definition.
  virtual void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const = 0;

  // Whether rows of the last dimension lie one behind the other, each in whole blocks, so that they can change places.
  virtual bool has_rows() const { return false; }
  // Where matrices of that shape stand one behind the other in a stack [n, rows, columns], whose bytes are those of one
  // matrix of all their rows: bytes from one to the next, of formats in several planes in the first. 0: they cannot,
  // because a piece of the format, a panel or the elements of a scale, would be of two of them.
  virtual int64_t stack_stride(const Shape& matrix) const { return has_rows() ? bytes(matrix) : 0; }
  // Of a tensor that comes from a file: the row of the first block that holds what is no number, in the order of its
  // bytes; -1: there is none, or files hold no such tensors.
  virtual int64_t find_bad_scale(const Shape& /*shape*/, const std::byte* /*tensor*/) const { return -1; }

  // Of formats that headroom writes. Puts the elements from number `first` on into the tensor at `tensor`: whole
  // blocks, or the tensor's last. Pieces come in any order, on any threads; then finish(). What the format must know of
  // a whole tensor it keeps in `waiting`, waiting_floats() long, meanwhile. Returns the first element of a block that
  // the format cannot hold because of an infinity or a scale beyond its range, -1 where there is none. No element is
  // NaN.
  virtual int64_t encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                         std::span<float> waiting) const;
  virtual int64_t waiting_floats(const Shape&) const { return 0; }
  virtual void finish(const Shape&, std::byte* /*tensor*/, std::span<const float> /*waiting*/) const {}

 private:
  std::string_view name_;
  int64_t block_elements_;
};

// The format of that number, which must be one.
const BlockFormat& block_format(DType dtype);
// The format of that name, or null.
const BlockFormat* find_block_format(std::string_view name);

}  // namespace headroom

// In a format's source file, in namespace headroom: adds the constant `object` (of a class derived from BlockFormat) to
// the table.
#define HEADROOM_BLOCK_FORMAT(object)                                                                              \
  [[gnu::used, gnu::section("headroom_block_formats")]] static const headroom::BlockFormat* const object##_entry = \
      &object
