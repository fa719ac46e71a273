// Matrix products: training shapes in the orientations of forward, input gradient and weight gradient, prefill, and
// decoding, which streams the weights.
//   M rows, N columns, K depth: MxNxK.
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

enum class Side { forward, input_gradient, weight_gradient };

Attributes transposes(bool a, bool b) { return {{"transpose_a", int64_t{a}}, {"transpose_b", int64_t{b}}}; }

// The product of one side: x [T, in] W^T with W [out, in]; dy [T, out] W; dy^T x.
KernelCase product(Side side, int64_t tokens, int64_t in, int64_t out, DType weight = DType::f32) {
  const std::string dtype = weight == DType::f32 ? "" : fmt::format(", {}", name_of(weight));
  KernelCase one;
  one.op = "matmul";
  one.limit = Limit::fma;
  switch (side) {
    case Side::forward:
      one.name = fmt::format("matmul {}, x W^T{}", dimensions({tokens, out, in}), dtype);
      one.inputs = {f32({tokens, in}), {weight, {out, in}}};
      one.attributes = transposes(false, true);
      break;
    case Side::input_gradient:
      one.name = fmt::format("matmul {}, dy W{}", dimensions({tokens, in, out}), dtype);
      one.inputs = {f32({tokens, out}), {weight, {out, in}}};
      one.attributes = transposes(false, false);
      break;
    case Side::weight_gradient:
      one.name = fmt::format("matmul {}, dy^T x", dimensions({out, in, tokens}));
      one.inputs = {f32({tokens, out}), f32({tokens, in})};
      one.attributes = transposes(true, false);
      break;
  }
  return one;
}

// The same in mixed precision: activations of 16 bits, weights in f32. bf16 may go beyond the limit, which is that of
// multiply-adds in f32.
KernelCase mixed_product(Side side, int64_t tokens, int64_t in, int64_t out, DType activations) {
  KernelCase one = product(side, tokens, in, out);
  one.name += fmt::format(", {} activations", name_of(activations));
  one.inputs[0].dtype = activations;
  if (side == Side::weight_gradient) {
    one.inputs[1].dtype = activations;
    one.attributes.set("result", static_cast<int64_t>(DType::f32));
  }
  return one;
}

// Few rows: every weight is read once, so that memory is the limit. Rows and result are small.
KernelCase decode(int64_t tokens, DType weight) {
  KernelCase one = product(Side::forward, tokens, 4096, 11008, weight);
  one.limit = Limit::read;
  return one;
}

}  // namespace

std::vector<KernelCase> product_cases() {
  std::vector<KernelCase> cases;
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{768, 768}, {768, 2048}, {2048, 768}}) {
    for (const Side side : {Side::forward, Side::input_gradient, Side::weight_gradient}) {
      cases.push_back(product(side, 2048, in, out));
    }
  }
  cases.push_back(product(Side::forward, 2048, 768, 2048, DType::bf16));
  cases.push_back(product(Side::input_gradient, 2048, 768, 2048, DType::bf16));
  for (const Side side : {Side::forward, Side::input_gradient, Side::weight_gradient}) {
    cases.push_back(product(side, 2048, 2048, 2048));
  }
  cases.push_back(product(Side::forward, 4096, 4096, 4096));
  for (const Side side : {Side::forward, Side::input_gradient, Side::weight_gradient}) {
    cases.push_back(mixed_product(side, 2048, 768, 2048, DType::bf16));
    cases.push_back(mixed_product(side, 2048, 768, 2048, DType::f16));
  }
  // A layer of a 1.3B model over a chunk of the prompt.
  for (const DType weight : {DType::f32, DType::bf16, DType::f16}) {
    cases.push_back(product(Side::forward, 512, 2048, 5504, weight));
  }
  cases.push_back(product(Side::forward, 128, 2048, 5504, DType::bf16));
  cases.push_back(product(Side::forward, 64, 4096, 4096));
  for (const DType weight : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t tokens : {1, 4, 16}) cases.push_back(decode(tokens, weight));
  }
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(product_cases);
