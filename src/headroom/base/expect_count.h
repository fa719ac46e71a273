// The check of a flag that counts something.
#pragma once

#include <cstdint>
#include <string_view>

#include "headroom/base/errors.h"

namespace headroom {

// Throws InvalidInput, naming the flag, for less than `least`.
inline void expect_count(std::string_view flag, int64_t got, int64_t least) {
  if (got < least) throw InvalidInput("{} {}: expected a number of {} or more", flag, got, least);
}

}  // namespace headroom
