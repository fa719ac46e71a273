// The post_processor of a tokenizer.json: the ids around a text. A new kind is a function and a row of the table in
// postprocessor.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/formats/tokenizer/component_spec.h"

namespace headroom {

struct SurroundingIds {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

// Ids are not checked against the vocabulary.
SurroundingIds read_postprocessor(const ComponentSpec& spec);

}  // namespace headroom
