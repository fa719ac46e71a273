// For messages about names that are mistyped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom {

// "; did you mean --memory?", where one of the names is at most two letters from the word, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace headroom
