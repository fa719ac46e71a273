// The left factor of matmul_int8, rounded as backend/reference/matmul_int8.cc says, where kernels read it.
#pragma once

#include <cstring>

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/rounded_rows.h"

namespace headroom::HEADROOM_ISA {

// Strips of `height` rows. Of a strip: `line` elements of its first row, those of its second, ..., then the next `line`
// elements of each; and beside one another what its rows have of a group.
class RoundedRows {
 public:
  static constexpr int64_t kFour = 4;  // what lanes of 32 bits hold

  // `height` divides RoundedRowsScratch::kRowUnit or is the number of rows; `line` divides the group: kFour,
  // or a multiple of kLanes.
  RoundedRows(const Invocation& call, const GroupedLayout& layout, int64_t strip_height, int64_t line_elements)
      : scratch(call.inputs[0].dim(0), layout.columns, layout.factor_group, call.threads.count()),
        height(strip_height),
        line(line_elements),
        columns(layout.columns),
        codes_(reinterpret_cast<int8_t*>(call.scratch.data())),
        scales_(reinterpret_cast<float*>(call.scratch.data() + scratch.scales_at)),
        sums_(reinterpret_cast<int32_t*>(call.scratch.data() + scratch.sums_at)) {}

  // Element k of row t, k a multiple of `line`; group g of row t.
  int8_t* codes(int64_t t, int64_t k) const {
    return codes_ + t / height * height * columns + k * height + t % height * line;
  }
  float* scale(int64_t t, int64_t g) const { return scales_ + place(t, g); }
  // The sum of the codes, negated.
  int32_t* sum(int64_t t, int64_t g) const { return sums_ + place(t, g); }

  void round(int64_t t, const float* x) const {
    for (int64_t g = 0; g < scratch.groups; ++g) round_group(t, g, x + g * scratch.group);
  }

  const RoundedRowsScratch scratch;
  const int64_t height, line, columns;

 private:
  int64_t place(int64_t t, int64_t g) const { return t / height * height * scratch.groups + g * height + t % height; }

  void round_group(int64_t t, int64_t g, const float* x) const {
    F32x16 largest_of(0.0f);
    for (int64_t i = 0; i < scratch.group; i += kLanes) largest_of = max(largest_of, absolute(load(x + i)));
    const float largest = max_of(largest_of);
    const bool counts = largest >= kLeastRounded && largest <= 3.4028234663852886e38f;
    const F32x16 inverse(counts ? 127.0f / largest : 0.0f);
    F32x16 sum_of(0.0f);
    for (int64_t i = 0; i < scratch.group; i += kLanes) {
      const I32x16 code = counts ? round_to_even(load(x + i) * inverse) : I32x16(0);
      store_codes(t, g * scratch.group + i, code & I32x16(255));
      sum_of = sum_of + to_f32(code);
    }
    *scale(t, g) = counts ? largest / 127.0f : largest < kLeastRounded ? 0.0f : __builtin_nanf("");
    *sum(t, g) = -static_cast<int32_t>(headroom::HEADROOM_ISA::sum(sum_of));
  }

  void store_codes(int64_t t, int64_t k, I32x16 bytes) const {
    if (line >= kLanes) return store_bytes(reinterpret_cast<uint8_t*>(codes(t, k / line * line) + k % line), bytes);
    alignas(16) uint8_t sixteen[kLanes];
    store_bytes(sixteen, bytes);
    for (int64_t i = 0; i < kLanes; i += kFour) std::memcpy(codes(t, k + i), sixteen + i, kFour);
  }

  int8_t* codes_;
  float* scales_;
  int32_t* sums_;
};

}  // namespace headroom::HEADROOM_ISA
