// Element formats of values, and the conversions between them.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace headroom {

enum class DType : uint8_t { f32, bf16, f16, f64, i32, u8 };

// Bytes of one element.
int64_t size_of(DType dtype);

// "f32", "bf16", ...: the spelling in graphs, flags and messages.
std::string_view name_of(DType dtype);

// "float32", "bfloat16", ...: the spelling in config.json.
std::string_view hugging_face_name_of(DType dtype);

// Throws InvalidInput naming `what` when `name` is none of the spellings above (Hugging Face's "float32",
// "bfloat16", "float16" and "torch.*" forms are understood too).
DType parse_dtype(std::string_view name, std::string_view what);

// Rounding is to nearest even, on integers; denormals are kept; a NaN stays a NaN.
inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
uint16_t f32_to_bf16(float value);
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);

}  // namespace headroom
