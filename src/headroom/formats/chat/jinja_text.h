// Texts as Python sees them: characters are code points, whitespace is Unicode's, and the methods that templates call.
// All texts are UTF-8 and valid; views point into the argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::jinja {

int64_t count_characters(std::string_view text);
// Bytes of the first `characters` of `text`, which has as many.
size_t bytes_of_characters(std::string_view text, int64_t characters);

bool is_space(char32_t code);
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
// Takes any of `characters` off the ends that are asked for.
std::string_view strip(std::string_view text, std::string_view characters, bool left, bool right);

// str.split and str.rsplit: at most `most` cuts (all if negative), from the left or from the right. Without a
// separator: at runs of whitespace.
std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t most, bool from_right);
std::vector<std::string_view> split_at_space(std::string_view text, int64_t most, bool from_right);
// str.splitlines.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

// The bytes that replacing would make, for a check before it is done; and replacing. At most `most` times (all if
// negative).
int64_t bytes_of_replace(std::string_view text, std::string_view old, std::string_view replacement, int64_t most);
std::string replace(std::string_view text, std::string_view old, std::string_view replacement, int64_t most);

// Letters of ASCII; nothing if the text has letters beyond ASCII that have a case.
std::optional<std::string> to_upper(std::string_view text);
std::optional<std::string> to_lower(std::string_view text);

// repr(text): in quotes, with escapes for what does not print.
std::string quote(std::string_view text);
// repr(number): the shortest digits that read back, with a point or an exponent.
std::string show_real(double number);

}  // namespace headroom::jinja
