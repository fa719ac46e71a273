// Formats of values by number, and the conversions between those of a single element.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace headroom {

// The format that the elements of a value are kept in. Those that give each element bytes of its own have names here,
// because kernels switch on them; block formats (base/block_format.h) are numbered behind them.
enum class DType : uint8_t { f32, bf16, f16, f64, i32, u8 };
inline constexpr uint8_t kScalarFormats = 6;
constexpr bool is_scalar(DType dtype) { return static_cast<uint8_t>(dtype) < kScalarFormats; }

// Bytes of one element. Throws InternalError for a block format, of which no element has bytes of its own.
int64_t size_of(DType dtype);

// "f32", "bf16", "nf4", ...: the spelling in graphs, flags and messages.
std::string_view name_of(DType dtype);

// "float32", "bfloat16", ...: the spelling in config.json, of scalar formats.
std::string_view hugging_face_name_of(DType dtype);

// A scalar format. Throws InvalidInput naming `what` when `name` is none of the spellings above (Hugging Face's
// "float32", "bfloat16", "float16" and "torch.*" forms are understood too).
DType parse_dtype(std::string_view name, std::string_view what);

// Rounding is to nearest even, on integers; denormals are kept; a NaN stays a NaN.
inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
uint16_t f32_to_bf16(float value);
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);

}  // namespace headroom
