// Counts in sentences: "1 row", "2,048 rows".
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "headroom/base/bytes.h"

namespace headroom {

inline std::string count_of(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

}  // namespace headroom
