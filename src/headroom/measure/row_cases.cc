// Norms, activations, positions, sums: ops that touch each element once, on arrays beyond the cache.
//   T tokens, F features.
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kTokens = 16384, kFeatures = 2048;
constexpr int64_t kHeads = 16, kHeadSize = kFeatures / kHeads;
const Type kRows = f32({kTokens, kFeatures});  // 128 MiB
const Type kColumn = f32({kTokens});
const Type kRow = f32({kFeatures});

KernelCase over_rows(std::string_view op, std::vector<Type> inputs, Limit limit, Attributes attributes = {}) {
  KernelCase one;
  one.name = fmt::format("{} {}", op, dimensions({kTokens, kFeatures}));
  one.op = op;
  one.inputs = std::move(inputs);
  one.attributes = std::move(attributes);
  one.limit = limit;
  return one;
}

// The same where the plan lets the output take an input's storage.
KernelCase in_place(KernelCase one) {
  one.name += ", in place";
  one.in_place = true;
  one.limit = Limit::update;
  return one;
}

KernelCase rope() {
  KernelCase one = over_rows("rope", {kRows, i32({kTokens}), f32({kTokens, kHeadSize})}, Limit::copy,
                             {{"heads", kHeads}, {"pairs", int64_t{0}}, {"inverse", int64_t{0}}});
  one.fill = [](std::span<const Tensor> inputs) { fill_ascending(inputs[1]); };
  return one;
}

// Half of the rows of a cache.
KernelCase write_rows() {
  KernelCase one = over_rows("write_rows", {kRows, f32({kTokens / 2, kFeatures}), i32({2})}, Limit::copy);
  one.fill = [](std::span<const Tensor> inputs) {
    inputs[2].as<int32_t>()[0] = kTokens / 4;
    inputs[2].as<int32_t>()[1] = kTokens / 2;
  };
  return one;
}

// Two halves.
KernelCase join_columns() {
  const Type half = f32({kTokens, kFeatures / 2});
  return over_rows("join_columns", {half, half}, Limit::copy);
}

}  // namespace

std::vector<KernelCase> row_cases() {
  const KernelCase add = over_rows("add", {kRows, kRows}, Limit::copy);
  const KernelCase add_bias = over_rows("add_bias", {kRows, kRow}, Limit::copy);
  const KernelCase norm = over_rows("rms_norm", {kRows, kRow}, Limit::copy, {{"eps", 1e-5}});
  const KernelCase norm_backward = over_rows("rms_norm_backward", {kRows, kRow, kColumn, kRows}, Limit::copy);
  const KernelCase swiglu = over_rows("swiglu", {kRows, kRows}, Limit::copy);
  const KernelCase swiglu_backward = over_rows("swiglu_backward", {kRows, kRows, kRows}, Limit::copy);
  KernelCase clip_scale;
  clip_scale.name = "clip_scale of 100 tensors";
  clip_scale.op = "clip_scale";
  clip_scale.inputs = std::vector<Type>(100, f64({1}));
  clip_scale.attributes = {{"max_norm", 1.0}};
  clip_scale.fill = [](std::span<const Tensor> inputs) {
    for (const Tensor& one : inputs) *one.as<double>() = 0.5;
  };
  return {add,
          in_place(add),
          add_bias,
          in_place(add_bias),
          over_rows("bias_gradient", {kRows}, Limit::read),
          norm,
          norm_backward,
          in_place(norm_backward),
          over_rows("rms_norm_weight_gradient", {kRows, kColumn, kRows}, Limit::read),
          swiglu,
          in_place(swiglu),
          swiglu_backward,
          in_place(swiglu_backward),
          rope(),
          in_place(rope()),
          write_rows(),
          join_columns(),
          over_rows("split_columns", {kRows}, Limit::copy, {{"columns", kFeatures / 2}}),
          over_rows("scale", {kRows}, Limit::copy, {{"factor", 2.0}}),
          over_rows("dropout", {kRows, i32({4}), i32({2})}, Limit::copy,
                    {{"rate", 0.1}, {"factor", 2.0}, {"site", int64_t{1}}}),
          over_rows("zero", {kRows}, Limit::none),
          over_rows("sum", {kRows}, Limit::read),
          over_rows("squared_norm", {kRows}, Limit::read),
          clip_scale};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(row_cases);
