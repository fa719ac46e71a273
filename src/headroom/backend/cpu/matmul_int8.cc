// matmul_int8: rows are rounded first, then the threads share the panels of the weight.
#include <array>
#include <utility>

#include "headroom/backend/cpu/byte_block.h"
#include "headroom/backend/cpu/byte_few_rows.h"
#if defined(__AMX_INT8__)
#include "headroom/backend/cpu/byte_few_tiles.h"
#include "headroom/backend/cpu/byte_tiles.h"
#endif

namespace headroom::HEADROOM_ISA {
namespace {

void round_all(const Invocation& call, const RoundedRows& rows) {
  const float* x = call.inputs[0].as<const float>();
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) rows.round(t, x + t * rows.columns);
  });
}

template <size_t... kRowsBelow>
void multiply_few(const GroupedPanels& weight, const RoundedRows& rows, int64_t begin, int64_t end, const Tensor& y,
                  std::index_sequence<kRowsBelow...>) {
  static constexpr std::array kFunctions = {&multiply_few_rows<static_cast<int>(kRowsBelow) + 1>...};
  kFunctions[static_cast<size_t>(y.dim(0) - 1)](weight, rows, begin, end, y);
}

}  // namespace

void matmul_int8(const Invocation& call) {
  const GroupedPanels weight(call.inputs[1]);
  const GroupedLayout& layout = weight.layout();
  const Tensor& y = call.outputs[0];
  if (y.dim(0) == 0) return;
#if defined(__AMX_INT8__)
  if (y.dim(0) >= kLeastTileRows && y.dim(0) <= kTileStrip) {
    const RoundedRows rows(call, layout, few_tile_rows(y.dim(0)), tile_line(layout.factor_group));
    round_all(call, rows);
    call.threads.split(layout.panels, 2, [&](int64_t begin, int64_t end, int) {
      switch (rows.height) {
        case 4: return FewByteTiles<4>(weight, rows, y).multiply(begin, end);
        case 8: return FewByteTiles<8>(weight, rows, y).multiply(begin, end);
        default: return FewByteTiles<16>(weight, rows, y).multiply(begin, end);
      }
    });
    return;
  }
#endif
  if (y.dim(0) <= RoundedRowsScratch::kFewRows) {
    const RoundedRows rows(call, layout, y.dim(0), RoundedRows::kFour);
    round_all(call, rows);
    call.threads.split(layout.panels, 1, [&](int64_t begin, int64_t end, int) {
      multiply_few(weight, rows, begin, end, y, std::make_index_sequence<RoundedRowsScratch::kFewRows>());
    });
    return;
  }
#if defined(__AMX_INT8__)
  const RoundedRows rows(call, layout, kTileStrip, tile_line(layout.factor_group));
#else
  const RoundedRows rows(call, layout, kByteRows, RoundedRows::kFour);
#endif
  round_all(call, rows);
  call.threads.split(layout.panels, 1, [&](int64_t begin, int64_t end, int thread) {
    std::byte* memory = call.scratch.data() + rows.scratch.blocks_at + thread * ByteBlock::kBytes;
#if defined(__AMX_INT8__)
    const ByteTiles tiles(rows.line);
    multiply_many_rows<kTilePanels>(weight, rows, begin, end, memory, y,
                                    [&]<int kBits>(const ByteBlockCall& block) { tiles.multiply(block); });
#else
    multiply_many_rows<ByteBlock::kPanels>(weight, rows, begin, end, memory, y,
                       []<int kBits>(const ByteBlockCall& block) { multiply_byte_block<kBits>(block); });
#endif
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(matmul_int8);
