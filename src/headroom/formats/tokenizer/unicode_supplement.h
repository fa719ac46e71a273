// What the classes of characters of the tokenizers library have and those of PCRE2 10.42 (Unicode 14) lack: what
// Unicode assigned since, and where its definitions differ. With a newer PCRE2 such characters are merely named twice.
#pragma once

#include <optional>
#include <string_view>

namespace headroom {

// Ranges for the inside of a PCRE2 character class, beside the class itself: a general category or another property by
// its name; "onig word" (\w of Oniguruma) and "rust word" (\w of Rust), beside [\p{Alphabetic}\p{M}\p{Nd}\p{Pc}];
// "rust numeric", beside \p{N}; "rust punctuation", complete. Nothing for a name that is not known.
std::optional<std::string_view> unicode_supplement(std::string_view name);

}  // namespace headroom
