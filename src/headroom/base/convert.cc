#include "headroom/base/convert.h"

#include <cmath>
#include <cstddef>
#include <cstring>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

struct F64 {
  using Stored = double;
  static float load(double value) { return static_cast<float>(value); }
  static double store(float value) { return static_cast<double>(value); }
};
struct F32 {
  using Stored = float;
  static float load(float value) { return value; }
  static float store(float value) { return value; }
};
struct Bf16 {
  using Stored = uint16_t;
  static float load(uint16_t bits) { return bf16_to_f32(bits); }
  static uint16_t store(float value) { return f32_to_bf16(value); }
};
struct F16 {
  using Stored = uint16_t;
  static float load(uint16_t bits) { return f16_to_f32(bits); }
  static uint16_t store(float value) { return f32_to_f16(value); }
};

template <class Format>
typename Format::Stored element(const void* data, int64_t index) {
  typename Format::Stored value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + index * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

// Calls visit with the format's tag; false for a format that is not a real number.
template <class Visit>
bool visit_real(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::f64: visit(F64()); return true;
    case DType::f32: visit(F32()); return true;
    case DType::bf16: visit(Bf16()); return true;
    case DType::f16: visit(F16()); return true;
    default: return false;
  }
}

template <class From, class To>
void convert_run(const void* from, void* to, int64_t count) {
  for (int64_t index = 0; index < count; ++index) {
    const typename To::Stored value = To::store(From::load(element<From>(from, index)));
    std::memcpy(static_cast<std::byte*>(to) + index * static_cast<int64_t>(sizeof value), &value, sizeof value);
  }
}

}  // namespace

void convert_elements(DType from_dtype, const void* from, DType to_dtype, void* to, int64_t count) {
  if (from_dtype == to_dtype) {
    if (count > 0) std::memcpy(to, from, static_cast<size_t>(count * size_of(from_dtype)));
    return;
  }
  const bool known = visit_real(from_dtype, [&]<class From>(From) {
    const bool target_known = visit_real(to_dtype, [&]<class To>(To) { convert_run<From, To>(from, to, count); });
    ensure(target_known, "convert_elements: no way from {} to {}", name_of(from_dtype), name_of(to_dtype));
  });
  ensure(known, "convert_elements: no way from {} to {}", name_of(from_dtype), name_of(to_dtype));
}

int64_t find_nan(DType dtype, const void* data, int64_t count) {
  int64_t found = -1;
  visit_real(dtype, [&]<class Format>(Format) {
    for (int64_t index = 0; index < count && found < 0; ++index) {
      if (std::isnan(Format::load(element<Format>(data, index)))) found = index;
    }
  });
  return found;
}

}  // namespace headroom
