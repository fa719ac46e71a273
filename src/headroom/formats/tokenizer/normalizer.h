// The normalizer of a tokenizer.json: how a text is rewritten before it is cut into words. A new kind is a class and a
// row of the table in normalizer.cc.
#pragma once

#include <memory>
#include <vector>

#include "headroom/formats/tokenizer/component_spec.h"
#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

// Empty for null. Each stretch between two added tokens is normalized by itself.
std::vector<std::unique_ptr<TextComponent>> read_normalizer(const ComponentSpec& spec);

}  // namespace headroom
