// Activations into fewer bits, and back.
#include "headroom/backend/activation_blocks.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kActivationRows = 8192, kActivationFeatures = 2048;

std::vector<Type> compressed(int64_t bits) {
  if (bits == 16) return {{DType::bf16, {kActivationRows, kActivationFeatures}}};
  return {u8({kActivationRows, activation_row_bytes(kActivationFeatures, bits)}),
          {DType::bf16, {kActivationRows, activation_blocks(kActivationFeatures)}}};
}

KernelCase over_tokens(std::string_view op, int64_t bits, std::vector<Type> inputs, Limit limit) {
  KernelCase one;
  one.name = fmt::format("{} {}, {} bits", op, dimensions({kActivationRows, kActivationFeatures}), bits);
  one.op = op;
  one.inputs = std::move(inputs);
  one.attributes = {{"bits", bits}, {"site", int64_t{1}}, {"features", kActivationFeatures}};
  one.limit = limit;
  return one;
}

}  // namespace

std::vector<KernelCase> compression_cases() {
  std::vector<KernelCase> cases;
  for (const int64_t bits : {4, 8, 16}) {
    std::vector<Type> inputs = {f32({kActivationRows, kActivationFeatures})};
    if (bits != 16) inputs.insert(inputs.end(), {i32({4}), i32({2})});
    cases.push_back(over_tokens("compress", bits, inputs, Limit::read));
    cases.push_back(over_tokens("decompress", bits, compressed(bits), Limit::copy));
  }
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(compression_cases);
