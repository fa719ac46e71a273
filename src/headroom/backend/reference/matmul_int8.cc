// y[t, n] = a chain over the groups of a row, ascending, from +0: fma(D, x's scale * the weight's scale, y). D is the
// sum over the group of x's code times (the weight's code - zero), exactly.
//
// x's codes: m the largest magnitude of the group, scale = m / 127, code = x * (127 / m) rounded to nearest even, all
// in f32. Where m < 2^-100 scale and codes are 0; where it is no finite number the scale is NaN and the codes are 0.
#include <algorithm>

#include "headroom/backend/kernel.h"
#include "headroom/backend/rounded_rows.h"

namespace headroom::reference {
namespace {

// Returns the scale.
float round_group(const float* x, int64_t count, int8_t* codes) {
  std::fill_n(codes, count, int8_t{0});
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(x[i])) return NAN;
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (largest < kLeastRounded) return 0;
  const float inverse = 127.0f / largest;
  for (int64_t i = 0; i < count; ++i) codes[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse));
  return largest / 127.0f;
}

}  // namespace

void matmul_int8(const Invocation& call) {
  const Tensor& weight = call.inputs[1];
  const float* x = call.inputs[0].as<const float>();
  const GroupedFormat& format = *as_grouped(weight.type.dtype);
  const GroupedLayout layout(format, weight.type.shape);
  const int64_t depth = layout.columns;
  const int64_t group = layout.factor_group;
  const RoundedRowsScratch rows(call.inputs[0].dim(0), depth, group, call.threads.count());
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      auto* codes = reinterpret_cast<int8_t*>(call.scratch.data()) + t * depth;
      auto* scales = reinterpret_cast<float*>(call.scratch.data() + rows.scales_at) + t * rows.groups;
      for (int64_t g = 0; g < rows.groups; ++g) {
        scales[g] = round_group(x + t * depth + g * group, group, codes + g * group);
      }
      for (int64_t n = 0; n < layout.rows; ++n) {
        float y = 0;
        for (int64_t g = 0; g < rows.groups; ++g) {
          GroupedFormat::Element element{};
          int sum = 0;
          for (int64_t k = g * group; k < (g + 1) * group; ++k) {
            element = format.element(weight.type.shape, weight.data, n, k);
            sum += codes[k] * element.code;
          }
          y = std::fma(static_cast<float>(sum), scales[g] * element.scale, y);
        }
        call.outputs[0].as<float>()[t * layout.rows + n] = y;
      }
    }
  });
}

int64_t matmul_int8_scratch(const TypedNode& node, int threads) {
  const Type& weight = node.inputs[1];
  const GroupedLayout layout(*as_grouped(weight.dtype), weight.shape);
  return RoundedRowsScratch(node.inputs[0].shape[0], layout.columns, layout.factor_group, threads).bytes;
}

}  // namespace headroom::reference

HEADROOM_KERNEL(matmul_int8, matmul_int8_scratch);
