// Numbers for people: three digits that count, a unit that suits them, never an exponent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headroom {

// "1.54 GB", "49.7 Gflop", "0.2 flop": of an amount of 0 or more, in powers of ten. Whole numbers below 1000 are exact.
std::string format_amount(double amount, std::string_view unit);

// "0.601 ms", "1.61 s", "27 min 20 s", "1 h 02 min".
std::string format_seconds(double seconds);

// "299,520 parameters", "124 million parameters", "6.91 billion parameters".
std::string format_parameters(int64_t parameters);

}  // namespace headroom
