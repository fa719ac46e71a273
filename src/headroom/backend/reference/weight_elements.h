// Elements of a weight, whatever it is kept in.
#pragma once

#include "headroom/backend/reference/scalar.h"
#include "headroom/base/block_format.h"

namespace headroom::reference {

// Of a block format, in place of a pointer to an element.
struct BlockElement {
  const Tensor* tensor;
  int64_t index;

  BlockElement operator+(int64_t elements) const { return {tensor, index + elements}; }
};

inline float load_one(const BlockElement& from) {
  float element;
  block_format(from.tensor->type.dtype).decode(from.tensor->type.shape, from.tensor->data, from.index, 1, &element);
  return element;
}

// As with_elements, but for block formats, too: calls body() with what load_one takes.
template <class Body>
void with_weights(const Tensor& tensor, Body&& body) {
  if (!is_scalar(tensor.type.dtype)) return body(BlockElement{&tensor, 0});
  with_elements(tensor, [&](const auto* first) { body(first); });
}

}  // namespace headroom::reference
