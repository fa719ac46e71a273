// Classes of characters as the tokenizers library has them (Rust's char::is_whitespace and \w of its regex crate).
#pragma once

#include <string_view>

namespace headroom {

// Unicode's White_Space.
bool is_white_space(char32_t code);
// Letters, marks, decimal digits, connectors and joiners, of Unicode 16.
bool is_word_character(char32_t code);
// Characters that the library's normalization forms, of Unicode 9, leave where and as they are, and newer ones do not.
bool is_unknown_to_normalization(char32_t code);

// Of valid UTF-8: how many bytes of white space it begins and ends with; its last character.
size_t leading_white_space(std::string_view text);
size_t trailing_white_space(std::string_view text);
std::string_view last_character(std::string_view text);

}  // namespace headroom
