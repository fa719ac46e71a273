#include "headroom/base/dtype.h"

#include <array>
#include <string>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

struct Spelling {
  DType dtype;
  int64_t bytes;
  std::string_view name;
  std::string_view hugging_face;
};

constexpr std::array<Spelling, 5> kSpellings = {{{DType::f32, 4, "f32", "float32"},
                                                 {DType::bf16, 2, "bf16", "bfloat16"},
                                                 {DType::f16, 2, "f16", "float16"},
                                                 {DType::f64, 8, "f64", "float64"},
                                                 {DType::i32, 4, "i32", "int32"}}};

}  // namespace

int64_t size_of(DType dtype) { return kSpellings[static_cast<size_t>(dtype)].bytes; }

std::string_view name_of(DType dtype) { return kSpellings[static_cast<size_t>(dtype)].name; }

std::string_view hugging_face_name_of(DType dtype) { return kSpellings[static_cast<size_t>(dtype)].hugging_face; }

DType parse_dtype(std::string_view name, std::string_view what) {
  std::string_view plain = name.starts_with("torch.") ? name.substr(6) : name;
  for (const Spelling& spelling : kSpellings) {
    if (plain == spelling.name || plain == spelling.hugging_face) return spelling.dtype;
  }
  throw InvalidInput("{}: unknown dtype '{}'; expected f32, bf16 or f16", what, name);
}

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x0040u);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // exact: zero or a denormal half
  return sign != 0 ? -magnitude : magnitude;
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                                               // below 2^-14: a denormal half or zero
    if (magnitude < 0x33000000u) return sign;                                  // below 2^-25
    const uint32_t shift = 126u - (magnitude >> 23);
    const uint32_t full = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t half = full >> shift;
    const uint32_t rest = full & ((1u << shift) - 1u);
    const uint32_t tie = 1u << (shift - 1u);
    return static_cast<uint16_t>(sign | (half + ((rest > tie || (rest == tie && (half & 1u) != 0)) ? 1u : 0u)));
  }
  const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

}  // namespace headroom
