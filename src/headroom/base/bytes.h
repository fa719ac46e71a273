// Sizes in bytes: reading them from flags and writing them for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headroom {

inline constexpr int64_t kKiB = 1024;
inline constexpr int64_t kMiB = 1024 * kKiB;
inline constexpr int64_t kGiB = 1024 * kMiB;

// Reads `7GiB`, `512MiB`, `1.5GB` (powers of ten), `4096` (bytes). Throws InvalidInput naming `what` (a flag).
int64_t parse_bytes(std::string_view text, std::string_view what);

// Readable and exact where it matters: "2.61 GiB", "384 B".
std::string format_bytes(int64_t bytes);

// "2.61 GiB (2,802,434,048 bytes)": for messages about budgets.
std::string format_bytes_exactly(int64_t bytes);

// 1234567 -> "1,234,567".
std::string format_count(int64_t count);

// a * b and a + b for sizes that come from files; throws InvalidInput naming `what` on overflow or a negative factor.
int64_t multiply_sizes(int64_t a, int64_t b, std::string_view what);
int64_t add_sizes(int64_t a, int64_t b, std::string_view what);

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace headroom
