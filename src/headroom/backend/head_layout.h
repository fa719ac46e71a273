// Where the rows of a weight stand that belong to a head (ops/head_products.h).
#pragma once

#include "headroom/base/shape.h"
#include "headroom/graph/attributes.h"

namespace headroom {

struct HeadsOfWeight {
  // `weight`: [H*W, L].
  HeadsOfWeight(const Attributes& attributes, const Shape& weight)
      : heads(attributes.integer("heads")),
        rows(attributes.integer("rows")),
        latents(weight[1]),
        to_latents(attributes.integer("to_latents") != 0),
        first_(attributes.integer("first")),
        rows_of_head_(weight[0] / heads) {}

  // Of those that take part, in the weight.
  int64_t first_row(int64_t head) const { return head * rows_of_head_ + first_; }

  int64_t heads;    // H
  int64_t rows;     // P
  int64_t latents;  // L
  bool to_latents;

 private:
  int64_t first_;
  int64_t rows_of_head_;  // W
};

}  // namespace headroom
