#include "headroom/base/convert.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/base/rounding.h"

namespace headroom {
namespace {

constexpr int64_t kRun = 1024;  // elements

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
  static uint16_t store(float value) { return rounding::f32_to_bf16(value); }
};
struct F16 {
  using Stored = uint16_t;
  static float load(uint16_t bits) { return rounding::f16_to_f32(bits); }
  static uint16_t store(float value) { return rounding::f32_to_f16(value); }
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
void convert_one(const void* from, void* to, int64_t index) {
  const typename To::Stored value = To::store(From::load(element<From>(from, index)));
  std::memcpy(static_cast<std::byte*>(to) + index * static_cast<int64_t>(sizeof value), &value, sizeof value);
}

// In runs of a fixed length, so that the compiler makes vectors of them.
template <class From, class To>
void convert_run(const void* __restrict from, void* __restrict to, int64_t count) {
  int64_t index = 0;
  for (; index + kRun <= count; index += kRun) {
    for (int64_t i = 0; i < kRun; ++i) convert_one<From, To>(from, to, index + i);
  }
  for (; index < count; ++index) convert_one<From, To>(from, to, index);
}

// Index of the first element whose bits without the sign are more than `most`. In runs of a fixed length,
// each looked at to its end, so that the compiler makes vectors of it: every weight that is loaded goes through here.
template <class Bits>
int64_t find_above(const void* data, int64_t count, Bits most) {
  constexpr Bits kWithoutSign = static_cast<Bits>(~Bits{0}) >> 1;
  const std::byte* bytes = static_cast<const std::byte*>(data);
  const auto is_above = [&](int64_t index) {
    Bits bits;
    std::memcpy(&bits, bytes + index * static_cast<int64_t>(sizeof bits), sizeof bits);
    return static_cast<Bits>(bits & kWithoutSign) > most;
  };
  for (int64_t begin = 0; begin < count; begin += kRun) {
    Bits any = 0;
    if (begin + kRun <= count) {
      for (int64_t i = 0; i < kRun; ++i) any |= static_cast<Bits>(is_above(begin + i));
      if (any == 0) continue;
    }
    for (int64_t i = begin; i < std::min(begin + kRun, count); ++i) {
      if (is_above(i)) return i;
    }
  }
  return -1;
}

// Index of the first NaN, or with `infinities` = 1 of the first element that is not finite.
int64_t find_beyond(DType dtype, const void* data, int64_t count, unsigned infinities) {
  switch (dtype) {
    case DType::f64: return find_above<uint64_t>(data, count, 0x7ff0'0000'0000'0000u - infinities);
    case DType::f32: return find_above<uint32_t>(data, count, 0x7f80'0000u - infinities);
    case DType::bf16: return find_above<uint16_t>(data, count, static_cast<uint16_t>(0x7f80u - infinities));
    case DType::f16: return find_above<uint16_t>(data, count, static_cast<uint16_t>(0x7c00u - infinities));
    case DType::i32: return -1;
    case DType::u8: return -1;
  }
  return -1;
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

int64_t find_nan(DType dtype, const void* data, int64_t count) { return find_beyond(dtype, data, count, 0); }

int64_t find_overflow(DType from_dtype, const void* from, DType to_dtype, const void* to, int64_t count) {
  const auto at = [](DType dtype, const void* data, int64_t index) {
    return static_cast<const std::byte*>(data) + index * size_of(dtype);
  };
  for (int64_t index = 0; index < count; ++index) {
    const int64_t found = find_beyond(to_dtype, at(to_dtype, to, index), count - index, 1);
    if (found < 0) return -1;
    index += found;
    if (find_beyond(from_dtype, at(from_dtype, from, index), 1, 1) < 0) return index;
  }
  return -1;
}

}  // namespace headroom
