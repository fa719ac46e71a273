// Takes white space from the ends of each piece: the normalizer Strip. Of white space at the end the last
// kStageWindowBytes are taken.
#pragma once

#include <memory>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

std::unique_ptr<TextComponent> strip_white_space(bool left, bool right);

}  // namespace headroom
