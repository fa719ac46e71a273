#include "headroom/backend/arrange_rows.h"

#include <algorithm>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/group_blocks.h"
#include "headroom/base/interleaved_rows.h"

namespace headroom {
namespace {

int64_t bytes_of_row(const Type& raw) { return Type{raw.dtype, {1, raw.shape[1]}}.bytes(); }

bool is_regrouped(const Type& raw) { return arranged_format(raw.dtype) != raw.dtype; }

int64_t bytes_of_thread(const Type& raw) {
  return round_up(bytes_of_row(raw) * (is_regrouped(raw) ? kPanelRows : 1), 64);
}

// Of one head, cycle by cycle of the permutation; `spare` holds a row.
void halve_rows(std::byte* head, int64_t head_rows, int64_t row_bytes, std::byte* spare) {
  const auto size = static_cast<size_t>(row_bytes);
  const auto row = [&](int64_t number) { return head + number * row_bytes; };
  for (int64_t first = 0; first < head_rows; ++first) {
    int64_t from = interleaved_row(first, head_rows);
    while (from > first) from = interleaved_row(from, head_rows);
    if (from < first) continue;  // the cycle has been walked from there
    std::memcpy(spare, row(first), size);
    int64_t to = first;
    for (from = interleaved_row(to, head_rows); from != first; from = interleaved_row(to, head_rows)) {
      std::memcpy(row(to), row(from), size);
      to = from;
    }
    std::memcpy(row(to), spare, size);
  }
}

// Blocks of a panel's rows become the panel, which has as many bytes; `copy` holds them.
void regroup_panel(const GroupedFormat& format, const GroupedLayout& layout, int64_t panel, std::byte* tensor,
                   std::byte* copy) {
  const int64_t blocks = std::min(kPanelRows, layout.rows - panel * kPanelRows) * layout.groups;
  const int64_t block_bytes = layout.panel_bytes() / (kPanelRows * layout.groups);
  std::memcpy(copy, tensor + panel * layout.panel_bytes(), static_cast<size_t>(blocks * block_bytes));
  for (int64_t block = 0; block < blocks; ++block) {
    put_block(format, layout, panel * kPanelRows * layout.columns + block * kGroupBlockElements,
              copy + block * block_bytes, tensor);
  }
}

}  // namespace

void arrange_rows(const Invocation& call) {
  const Type& raw = call.inputs[0].type;
  std::byte* data = call.outputs[0].data;
  const int64_t head_rows = call.attributes.integer("head_rows");
  const int64_t row_bytes = bytes_of_row(raw);
  const auto spare = [&](int thread) { return call.scratch.data() + thread * bytes_of_thread(raw); };
  if (head_rows > 0) {
    call.threads.split(raw.shape[0] / head_rows, 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t head = begin; head < end; ++head) {
        halve_rows(data + head * head_rows * row_bytes, head_rows, row_bytes, spare(thread));
      }
    });
  }
  if (!is_regrouped(raw)) return;
  const GroupedFormat& format = *as_grouped(call.outputs[0].type.dtype);
  const GroupedLayout layout(format, raw.shape);
  call.threads.split(layout.panels, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t panel = begin; panel < end; ++panel) regroup_panel(format, layout, panel, data, spare(thread));
  });
  format.finish(raw.shape, data, {});
}

int64_t arrange_rows_scratch(const TypedNode& node, int threads) { return threads * bytes_of_thread(node.inputs[0]); }

}  // namespace headroom
