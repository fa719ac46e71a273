#include "headroom/base/dtype.h"

#include <array>
#include <string>

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"
#include "headroom/base/rounding.h"

namespace headroom {
namespace {

struct Spelling {
  DType dtype;
  int64_t bytes;
  std::string_view name;
  std::string_view hugging_face;
};

constexpr std::array<Spelling, kScalarFormats> kSpellings = {{{DType::f32, 4, "f32", "float32"},
                                                              {DType::bf16, 2, "bf16", "bfloat16"},
                                                              {DType::f16, 2, "f16", "float16"},
                                                              {DType::f64, 8, "f64", "float64"},
                                                              {DType::i32, 4, "i32", "int32"},
                                                              {DType::u8, 1, "u8", "uint8"}}};

}  // namespace

int64_t size_of(DType dtype) {
  ensure(is_scalar(dtype), "an element of {} has no bytes of its own", name_of(dtype));
  return kSpellings[static_cast<size_t>(dtype)].bytes;
}

std::string_view name_of(DType dtype) {
  return is_scalar(dtype) ? kSpellings[static_cast<size_t>(dtype)].name : block_format(dtype).name();
}

std::string_view hugging_face_name_of(DType dtype) {
  ensure(is_scalar(dtype), "{} has no name in config.json", name_of(dtype));
  return kSpellings[static_cast<size_t>(dtype)].hugging_face;
}

DType parse_dtype(std::string_view name, std::string_view what) {
  std::string_view plain = name.starts_with("torch.") ? name.substr(6) : name;
  for (const Spelling& spelling : kSpellings) {
    if (plain == spelling.name || plain == spelling.hugging_face) return spelling.dtype;
  }
  throw InvalidInput("{}: unknown dtype '{}'; expected f32, bf16 or f16", what, name);
}

uint16_t f32_to_bf16(float value) { return rounding::f32_to_bf16(value); }
float f16_to_f32(uint16_t half) { return rounding::f16_to_f32(half); }
uint16_t f32_to_f16(float value) { return rounding::f32_to_f16(value); }

}  // namespace headroom
