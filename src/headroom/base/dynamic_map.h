// The dynamic map of 8-bit optimizer states (Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization",
// section 1.3), number for number that of bitsandbytes: seven decades below 1, each with twice the codes of the one
// below it, in ascending order. A number of a block is divided by the block's largest magnitude and becomes the code of
// the nearest entry, of the lower one in the middle of two. Tables only, made when compiling: code of every instruction
// set reads the same.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace headroom {

// Elements that share one scale.
inline constexpr int64_t kDynamicBlock = 256;
inline constexpr int64_t dynamic_blocks(int64_t elements) { return (elements + kDynamicBlock - 1) / kDynamicBlock; }
// A block whose largest magnitude is below this is divided by this.
inline constexpr float kLeastDynamicScale = 1e-38f;

struct DynamicMap {
  std::array<float, 256> values;     // of each code, from -0.993 or 0 to 1
  std::array<float, 256> midpoints;  // between a code and the next; infinity behind the last

  // `is_signed`: for means, which have a sign; otherwise for means of squares.
  constexpr explicit DynamicMap(bool is_signed) : values{}, midpoints{} {
    size_t count = 0;
    values[count++] = 0;
    values[count++] = 1;
    double power = 1;  // of ten, below
    for (int decade = 6; decade >= 0; --decade, power *= 10) {
      const int items = 1 << ((is_signed ? 6 : 7) - decade);
      for (int i = 0; i < items; ++i) {
        const float mean = (boundary(i, items) + boundary(i + 1, items)) / 2.0f;
        const float value = static_cast<float>(power / 1e6) * mean;
        values[count++] = value;
        if (is_signed) values[count++] = -value;
      }
    }
    std::sort(values.begin(), values.end());
    for (size_t i = 0; i < 255; ++i) midpoints[i] = (values[i] + values[i + 1]) / 2.0f;
    midpoints[255] = std::numeric_limits<float>::infinity();
  }

 private:
  // Boundary i of 0 to `items` equal parts of [0.1, 1], counted from the nearer end, rounded once.
  static constexpr float boundary(int i, int items) {
    const float step = (1.0f - 0.1f) / static_cast<float>(items);
    const bool lower = i < (items + 1) / 2;
    return lower ? static_cast<float>(static_cast<double>(0.1f) + static_cast<double>(step) * i)
                 : static_cast<float>(1.0 - static_cast<double>(step) * (items - i));
  }
};

// The code of a number between -1 and 1 without a search: its sign, exponent and six bits of mantissa (seven without a
// sign) choose a bin that holds one midpoint at most.
template <bool kSigned>
struct DynamicBins {
  static constexpr int kShift = kSigned ? 17 : 16;
  static constexpr int32_t kFirst = 0x34000000 >> kShift;  // 2^-23: what is smaller is in the first bin
  static constexpr int32_t kBins = (0x3f800000 >> kShift) - kFirst + 1;
  std::array<uint8_t, (kSigned ? 2 : 1) * kBins> codes{};  // below the bin's midpoint; negative numbers behind

  // A bin with two midpoints would make the code of some number wrong: then this does not compile.
  constexpr explicit DynamicBins(const DynamicMap& map) {
    size_t below = 0;  // midpoints less than the bin's numbers
    while (map.midpoints[below] < 0) ++below;
    size_t negative = below;
    for (int32_t bin = 0; bin < kBins; ++bin) {
      const float high = std::bit_cast<float>((kFirst + bin + 1) << kShift);
      codes[static_cast<size_t>(bin)] = static_cast<uint8_t>(below);
      if (map.midpoints[below] < high) ++below;
      if (map.midpoints[below] < high) throw "a bin holds two midpoints";
      if (!kSigned) continue;
      if (negative > 0 && map.midpoints[negative - 1] > -high) --negative;
      if (negative > 0 && map.midpoints[negative - 1] > -high) throw "a bin holds two midpoints";
      codes[static_cast<size_t>(kBins + bin)] = static_cast<uint8_t>(negative);
    }
  }
};

inline constexpr DynamicMap kSignedMap(true);
inline constexpr DynamicMap kUnsignedMap(false);

}  // namespace headroom
