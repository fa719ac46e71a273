// matmul_int8: rows are rounded first, then panels of the weight are read once for every strip of rows, sixteen outputs
// a register.
#include <algorithm>
#include <cstring>

#include "headroom/backend/cpu/byte_products.h"
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/grouped_panels.h"
#include "headroom/backend/rounded_rows.h"

namespace headroom::HEADROOM_ISA {
namespace {

struct RoundedRows {
  RoundedRows(const Invocation& call, const GroupedLayout& layout)
      : scratch(call.inputs[0].dim(0), layout.columns, layout.factor_group),
        columns(layout.columns),
        codes(reinterpret_cast<int8_t*>(call.scratch.data())),
        scales(reinterpret_cast<float*>(call.scratch.data() + scratch.scales_at)),
        sums(reinterpret_cast<int32_t*>(call.scratch.data() + scratch.sums_at)) {}

  RoundedRowsScratch scratch;
  int64_t columns;
  int8_t* codes;
  float* scales;
  int32_t* sums;
};

void round_row(const float* x, const RoundedRows& rows, int64_t t) {
  const int64_t group = rows.scratch.group;
  for (int64_t g = 0; g < rows.scratch.groups; ++g, x += group) {
    int8_t* codes = rows.codes + t * rows.columns + g * group;
    F32x16 largest_of(0.0f);
    for (int64_t i = 0; i < group; i += kLanes) largest_of = max(largest_of, absolute(load(x + i)));
    const float largest = max_of(largest_of);
    const int64_t at = t * rows.scratch.groups + g;
    if (!(largest >= kLeastRounded && largest <= 3.4028234663852886e38f)) {
      std::memset(codes, 0, static_cast<size_t>(group));
      rows.scales[at] = largest < kLeastRounded ? 0.0f : __builtin_nanf("");
      rows.sums[at] = 0;
      continue;
    }
    const F32x16 inverse(127.0f / largest);
    int32_t sum = 0;
    for (int64_t i = 0; i < group; i += kLanes) {
      const I32x16 rounded = round_to_even(load(x + i) * inverse);
      store_bytes(reinterpret_cast<uint8_t*>(codes + i), rounded & I32x16(255));
    }
    for (int64_t i = 0; i < group; ++i) sum += codes[i];
    rows.scales[at] = largest / 127.0f;
    rows.sums[at] = sum;
  }
}

HEADROOM_INLINE I32x16 broadcast_four(const int8_t* bytes) {
  int32_t four;
  std::memcpy(&four, bytes, sizeof four);
  return I32x16(four);
}

// Outputs of one panel for kRows rows from `t` on.
template <int kRows, int kBits>
void multiply_panel(const GroupedPanels& weight, const uint8_t* panel, const RoundedRows& rows, int64_t t, float* y,
                    int64_t y_stride, int64_t width) {
  const GroupedLayout& layout = weight.layout();
  const int64_t group = rows.scratch.group;
  const int8_t* codes = rows.codes + t * rows.columns;
  const int64_t at = t * rows.scratch.groups;
  F32x16 sums[kRows];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) sums[r] = F32x16(0.0f);
  for (int64_t g = 0; g < rows.scratch.groups; ++g) {
    const PanelGroup of_panel = weight.group(panel, g * group / layout.group);
    I32x16 products[kRows];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const int32_t sum = rows.sums[at + r * rows.scratch.groups + g];
      products[r] = I32x16(0) - multiply_low(of_panel.zero, I32x16(sum));
    }
    for (int64_t k = g * group; k < (g + 1) * group; k += kPanelStep) {
      const PanelCodes<kBits> of_weight(panel, layout.columns, k);
      const auto four = [&]<int kFour>() __attribute__((always_inline)) {
        const I32x16 bytes = of_weight.template four<kFour>();
#pragma GCC unroll 12
        for (int r = 0; r < kRows; ++r) {
          products[r] =
              add_byte_products<kBits>(products[r], bytes, broadcast_four(codes + r * rows.columns + k + 4 * kFour));
        }
      };
      [&]<int... kFours>(std::integer_sequence<int, kFours...>) __attribute__((always_inline)) {
        (four.template operator()<kFours>(), ...);
      }
      (std::make_integer_sequence<int, 8>());
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const F32x16 scale = F32x16(rows.scales[at + r * rows.scratch.groups + g]) * of_panel.scale;
      sums[r] = fma(to_f32(products[r]), scale, sums[r]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) store(y + r * y_stride, sums[r], width);
}

// Rows [t, end) in strips of kRows, then narrower ones.
template <int kBits, int kRows, int... kNarrower>
void multiply_strips(const GroupedPanels& weight, int64_t index, const RoundedRows& rows, int64_t t, int64_t end,
                     const Tensor& y) {
  const int64_t outputs = y.dim(1);
  const int64_t first = index * kPanelRows;
  const int64_t width = std::min(kPanelRows, outputs - first);
  for (; t + kRows <= end; t += kRows) {
    multiply_panel<kRows, kBits>(weight, weight.panel(index), rows, t, y.as<float>() + t * outputs + first, outputs,
                                 width);
  }
  if constexpr (sizeof...(kNarrower) > 0) multiply_strips<kBits, kNarrower...>(weight, index, rows, t, end, y);
}

}  // namespace

void matmul_int8(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  const int64_t tokens = call.inputs[0].dim(0);
  const GroupedPanels weight(call.inputs[1]);
  const RoundedRows rows(call, weight.layout());
  call.threads.split(tokens, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) round_row(x + t * rows.columns, rows, t);
  });
  with_bits(weight.layout().bits, [&]<int kBits>() {
    call.threads.split(weight.layout().panels, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t panel = begin; panel < end; ++panel) {
#if defined(__AVX512F__)
        multiply_strips<kBits, 12, 8, 4, 2, 1>(weight, panel, rows, 0, tokens, call.outputs[0]);
#else
        multiply_strips<kBits, 4, 2, 1>(weight, panel, rows, 0, tokens, call.outputs[0]);
#endif
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(matmul_int8);
