#include "headroom/backend/encode_rows.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/grouped_format.h"

namespace headroom {
namespace {

// Of a thread: the elements of a panel's rows.
int64_t panel_bytes(const Type& weight) { return round_up(4 * kPanelRows * weight.shape[1], 64); }

}  // namespace

void encode_rows(const Invocation& call) {
  const Tensor& weight = call.inputs[0];
  const Tensor& encoded = call.outputs[0];
  const GroupedFormat& format = *as_grouped(encoded.type.dtype);
  const GroupedLayout layout(format, encoded.type.shape);
  call.threads.split(layout.panels, 1, [&](int64_t begin, int64_t end, int thread) {
    auto* elements = reinterpret_cast<float*>(call.scratch.data() + thread * panel_bytes(weight.type));
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * kPanelRows * layout.columns;
      const int64_t count = std::min(kPanelRows, layout.rows - panel * kPanelRows) * layout.columns;
      convert_elements(weight.type.dtype, weight.data + first * size_of(weight.type.dtype), DType::f32, elements,
                       count);
      // Group by group, since what follows one that does not fit is encoded all the same.
      for (int64_t at = 0; at < count; at += layout.group) {
        const std::span group(elements + at, static_cast<size_t>(layout.group));
        if (format.encode(encoded.type.shape, first + at, group, encoded.data, {}) < 0) continue;
        constexpr uint16_t kNoNumber = 0x7e00;
        const std::span codes(reinterpret_cast<const uint8_t*>(elements + at), static_cast<size_t>(layout.group));
        std::fill_n(elements + at, layout.group, 0.0f);
        format.put_group(layout, first + at, codes, kNoNumber, 0, encoded.data);
      }
    }
  });
  format.finish(encoded.type.shape, encoded.data, {});
}

int64_t encode_rows_scratch(const TypedNode& node, int threads) { return threads * panel_bytes(node.inputs[0]); }

}  // namespace headroom
