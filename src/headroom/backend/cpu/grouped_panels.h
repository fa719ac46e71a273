// Panels of a grouped format (base/grouped_format.h) as vectors: sixteen rows of the weight are the sixteen lanes.
#pragma once

#include "headroom/backend/cpu/simd.h"
#include "headroom/base/grouped_format.h"

namespace headroom::HEADROOM_ISA {

// Groups are whole multiples of so many elements, and every plane of so many is whole lines.
inline constexpr int64_t kPanelStep = 32;

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

 private:
  GroupedLayout layout_;
  const uint8_t* bytes_;
};

// Calls body(i, weights of element k + i as f32) for 0 <= i < 32, in order.
template <int kBits, class Body>
HEADROOM_INLINE void for_each_element(const uint8_t* panel, int64_t columns, int64_t k, const PanelGroup& group,
                                      Body&& body) {
  const PanelCodes<kBits> codes(panel, columns, k);
  const auto four = [&]<int kFour>() __attribute__((always_inline)) {
    const I32x16 bytes = codes.template four<kFour>();
    const I32x16 byte(255);
    body(4 * kFour, to_f32((bytes & byte) - group.zero) * group.scale);
    body(4 * kFour + 1, to_f32((shift_right_logical<8>(bytes) & byte) - group.zero) * group.scale);
    body(4 * kFour + 2, to_f32((shift_right_logical<16>(bytes) & byte) - group.zero) * group.scale);
    body(4 * kFour + 3, to_f32(shift_right_logical<24>(bytes) - group.zero) * group.scale);
  };
  [&]<int... kFours>(std::integer_sequence<int, kFours...>) __attribute__((always_inline)) {
    (four.template operator()<kFours>(), ...);
  }
  (std::make_integer_sequence<int, 8>());
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
