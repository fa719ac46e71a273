// Panels of a grouped format (base/grouped_format.h) as vectors: sixteen rows of the weight are the sixteen lanes.
#pragma once

#include <array>
#include <utility>

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/kernel.h"
#include "headroom/base/grouped_format.h"

namespace headroom::HEADROOM_ISA {

// Groups are whole multiples of so many elements, and every plane of so many is whole lines.
inline constexpr int64_t kPanelStep = 32;
inline constexpr int64_t kAheadOfPanel = 2048;  // bytes of codes that are asked for before they are read; measured

// Calls body(i) for 0 <= i < kCount, in order, i a constant: so that arrays it indexes live in registers.
template <int kCount, class Body>
HEADROOM_INLINE void unrolled(Body&& body) {
  [&]<int... kIndices>(std::integer_sequence<int, kIndices...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, kIndices>()), ...);
  }
  (std::make_integer_sequence<int, kCount>());
}

// The codes of elements [k, k + 32) of a panel's rows.
template <int kBits>
class PanelCodes {
 public:
  HEADROOM_INLINE PanelCodes(const uint8_t* panel, int64_t columns, int64_t k)
      : low_(panel + k * kPanelRows * kLowBits / 8), high_(panel + 4 * columns + k / kPanelStep * kLineBytes) {}

  // Elements 4 * kFour .. + 3 of each row, a byte each.
  template <int kFour>
  HEADROOM_INLINE I32x16 four() const {
    constexpr int kPerByte = 8 / kLowBits;
    const I32x16 line = load_line(low_ + kFour / kPerByte * kLineBytes);
    if constexpr (kBits == 8) return line;
    const I32x16 low = shift_right_logical<kFour % kPerByte * kLowBits>(line) & I32x16(kLowMask);
    if constexpr (kBits != 3) return low;
    const I32x16 high = shift_right_logical<kFour>(load_line(high_)) & I32x16(0x01010101);
    return low | shift_left<2>(high);
  }

  // The fields of kBits of 4 * kPerLine elements, the number-th so many from k on, at the bits of a lane that field_at
  // says.
  static constexpr int kPerLine = kBits == 3 ? 1 : 8 / kBits;  // fours
  HEADROOM_INLINE I32x16 line(int number) const {
    if constexpr (kBits == 3) {
      const I32x16 low = load_line(low_ + number / 4 * kLineBytes);
      const I32x16 high = shift_right_logical(load_line(high_), number);
      return (shift_right_logical(low, number % 4 * 2) & I32x16(0x03030303)) | shift_left<2>(high & I32x16(0x01010101));
    }
    return load_line(low_ + number * kLineBytes);
  }
  static constexpr int field_at(int element) { return element % 4 * 8 + element / 4 % kPerLine * kBits; }

  // Asks for the lines so many bytes further on.
  template <int64_t kBytes>
  HEADROOM_INLINE void prefetch() const {
    for (int64_t at = 0; at < kPanelRows * kPanelStep * kLowBits / 8; at += kLineBytes) {
      headroom::HEADROOM_ISA::prefetch(low_, kBytes + at);
    }
    if constexpr (kBits == 3) headroom::HEADROOM_ISA::prefetch(high_, kBytes);
  }

 private:
  static constexpr int kLowBits = kBits == 3 ? 2 : kBits;
  static constexpr int32_t kLowMask = kLowBits == 4 ? 0x0f0f0f0f : 0x03030303;

  HEADROOM_INLINE static I32x16 load_line(const uint8_t* line) {
    return load_integers(reinterpret_cast<const int32_t*>(line));
  }

  const uint8_t* low_;
  const uint8_t* high_;  // of three bits: the lines of the third
};

// Scales and zeros of one group of a panel.
struct PanelGroup {
  F32x16 scale;
  I32x16 zero;
};

// The panels of a weight, and what its formats's fields say of them.
class GroupedPanels {
 public:
  explicit GroupedPanels(const Tensor& tensor)
      : layout_(*as_grouped(tensor.type.dtype), tensor.type.shape), bytes_(tensor.as<const uint8_t>()) {}

  const GroupedLayout& layout() const { return layout_; }
  const uint8_t* panel(int64_t index) const { return bytes_ + index * layout_.panel_bytes(); }

  HEADROOM_INLINE PanelGroup group(const uint8_t* panel, int64_t g) const {
    PanelGroup group;
    group.scale = load(reinterpret_cast<const F16*>(panel + layout_.scales_at()) + g * kPanelRows);
    group.zero =
        layout_.has_zeros ? load_bytes(panel + layout_.zeros_at() + g * kPanelRows) : I32x16(1 << (layout_.bits - 1));
    return group;
  }

  HEADROOM_INLINE void prefetch_group(const uint8_t* panel, int64_t g) const {
    prefetch(panel, layout_.scales_at() + 2 * g * kPanelRows);
    if (layout_.has_zeros) prefetch(panel, layout_.zeros_at() + g * kPanelRows);
  }

 private:
  GroupedLayout layout_;
  const uint8_t* bytes_;
};

// Codes of a group as f32: a field of at most 8 bits whose lowest is bit p < 16 of a number is the mantissa of
// 2^(23 - p) + code, from which that and the zero are taken exactly.
template <int kBits>
class PanelWeights {
 public:
  HEADROOM_INLINE explicit PanelWeights(const PanelGroup& group) : scale_(group.scale) {
    const F32x16 zero = to_f32(group.zero);
    unrolled<kPlaces>([&](auto i) __attribute__((always_inline)) {
      offsets_[i] = F32x16(static_cast<float>(1 << (23 - place(i)))) + zero;
    });
  }

  // A line of codes, and the upper halves of its lanes.
  struct Line {
    HEADROOM_INLINE explicit Line(I32x16 codes) : halves{codes, shift_right_logical<16>(codes)} {}
    I32x16 halves[2];
  };

  // The element whose code stands at the bits from kAt on.
  template <int kAt>
  HEADROOM_INLINE F32x16 element(const Line& line) const {
    constexpr int kPlace = kAt % 16;
    const I32x16 bits =
        masked_or(line.halves[kAt / 16], I32x16(((1 << kBits) - 1) << kPlace), I32x16((127 + 23 - kPlace) << 23));
    return (from_bits(bits) - offsets_[index(kPlace)]) * scale_;
  }

 private:
  static constexpr int kPerByte = PanelCodes<kBits>::kPerLine;
  static constexpr int kPlaces = 2 * kPerByte;
  static constexpr int place(int i) { return i / kPerByte * 8 + i % kPerByte * kBits; }
  static constexpr int index(int place) { return place / 8 * kPerByte + place % 8 / kBits; }

  F32x16 scale_;
  F32x16 offsets_[kPlaces];
};

// Calls body(i, weights of element k + i of each panel as f32) for 0 <= i < 32, in order.
template <int kBits, int kPanels, class Body>
HEADROOM_INLINE void for_each_element(const std::array<PanelCodes<kBits>, kPanels>& codes,
                                      const std::array<PanelWeights<kBits>, kPanels>& weights, Body&& body) {
  using Codes = PanelCodes<kBits>;
  using Line = typename PanelWeights<kBits>::Line;
  constexpr int kElements = 4 * Codes::kPerLine;
  const auto line = [&]<size_t... kPanel>(int number, std::index_sequence<kPanel...>) __attribute__((always_inline)) {
    const Line lines[] = {Line(codes[kPanel].line(number))...};
    unrolled<kElements>([&](auto i) __attribute__((always_inline)) {
      const F32x16 elements[] = {weights[kPanel].template element<Codes::field_at(i)>(lines[kPanel])...};
      body(number * kElements + i, elements);
    });
  };
#pragma GCC unroll 1
  for (int number = 0; number < kPanelStep / kElements; ++number) line(number, std::make_index_sequence<kPanels>());
}

// Calls body.template operator()<bits>() for the bits of a code.
template <class Body>
void with_bits(int bits, Body&& body) {
  switch (bits) {
    case 2: return body.template operator()<2>();
    case 3: return body.template operator()<3>();
    case 4: return body.template operator()<4>();
    default: return body.template operator()<8>();
  }
}

}  // namespace headroom::HEADROOM_ISA
