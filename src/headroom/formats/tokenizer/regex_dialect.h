// tokenizer.json holds regular expressions of Oniguruma (Ruby syntax); headroom runs PCRE2. This file lets through what
// both read alike, writes what they spell differently the PCRE2 way, and refuses the rest, also everything that looks
// at text before the match: a text is matched in a window that has forgotten what it passed on.
#pragma once

#include <string>
#include <string_view>

namespace headroom {

// `where` begins the sentence of the InvalidInput that an unsupported construct throws.
std::string to_pcre2(std::string_view oniguruma, const std::string& where);

}  // namespace headroom
