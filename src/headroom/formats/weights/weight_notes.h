// What __metadata__ of a safetensors file says of tensors in grouped formats (base/grouped_format.h). Such a tensor
// lies in the file under its own name as U8 of shape [bytes], its bytes those that it has in memory, and beside
// "headroom.weights": "1" stands under its name what they are: "int4_g128 [5504, 2048]".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "headroom/base/grouped_format.h"

namespace headroom {

inline constexpr std::string_view kWeightsVersionKey = "headroom.weights";
inline constexpr std::string_view kWeightsVersion = "1";
inline constexpr size_t kMostNoteBytes = 128;

struct WeightNote {
  const GroupedFormat* format;
  Shape shape;
};

// "int4_g128 [5504, 2048]".
std::string weight_note(const GroupedFormat& format, const Shape& shape);

// Hostile text -> what it says of a tensor of `size_bytes`. Throws InvalidInput beginning with `where` for another
// spelling, an unknown format, and a shape that has other bytes.
WeightNote read_weight_note(std::string_view text, int64_t size_bytes, const std::string& where);

// Throws InvalidInput beginning with `path` for another version than this one reads.
void expect_weights_version(std::string_view version, const std::string& path);

}  // namespace headroom
