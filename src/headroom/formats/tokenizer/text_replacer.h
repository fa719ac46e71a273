// Replaces what a pattern matches by a fixed text: the normalizer Replace, and the spaces of Metaspace.
#pragma once

#include <memory>
#include <string>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

// One ASCII character.
std::unique_ptr<TextComponent> replace_character(char from, std::string to);
// A regular expression of Oniguruma; throws as RegexPattern does.
std::unique_ptr<TextComponent> replace_pattern(const std::string& pattern, std::string to, const std::string& where);

}  // namespace headroom
