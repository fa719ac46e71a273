// Characters that Unicode 15 and 16 assigned, by general category: PCRE2 10.42 knows Unicode 14, the tokenizers library
// is newer. With a newer PCRE2 they are merely named twice.
#pragma once

#include <string>
#include <string_view>

namespace headroom {

// Ranges for the inside of a PCRE2 character class; empty for a property without a supplement.
std::string unicode_supplement(std::string_view property);

}  // namespace headroom
