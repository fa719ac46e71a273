// The part of a model, or of what is done with it, that a node belongs to: what passes group by and reports name.
#pragma once

#include <cstdint>
#include <string_view>

namespace headroom {

struct Segment {
  // "embedding", "layers.3", "head", "clip", a weight that is updated; empty: none. A literal or interned.
  std::string_view name = {};
  int32_t layer = -1;  // of the model, from 0, where it is one of its layers

  bool is_layer() const { return layer >= 0; }
  bool operator==(const Segment&) const = default;
};

Segment layer_segment(int64_t layer);

// The segment of that name: what the text form of a graph reads.
Segment parse_segment(std::string_view name);

}  // namespace headroom
