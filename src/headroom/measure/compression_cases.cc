// Activations into fewer bits, and back.
#include "headroom/backend/activation_blocks.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kTokens = 8192, kFeatures = 2048;

std::vector<Type> compressed(int64_t bits) {
  if (bits == 16) return {{DType::bf16, {kTokens, kFeatures}}};
  return {u8({kTokens, activation_row_bytes(kFeatures, bits)}), {DType::bf16, {kTokens, activation_blocks(kFeatures)}}};
}

KernelCase over_tokens(std::string_view op, int64_t bits, std::vector<Type> inputs, Limit limit) {
  KernelCase one;
  one.name = fmt::format("{} {}, {} bits", op, dimensions({kTokens, kFeatures}), bits);
  one.op = op;
  one.inputs = std::move(inputs);
  one.attributes = {{"bits", bits}, {"site", int64_t{1}}, {"features", kFeatures}};
  one.limit = limit;
  return one;
}

}  // namespace

std::vector<KernelCase> compression_cases() {
  std::vector<KernelCase> cases;
  for (const int64_t bits : {4, 8, 16}) {
    std::vector<Type> inputs = {f32({kTokens, kFeatures})};
    if (bits != 16) inputs.insert(inputs.end(), {i32({4}), i32({2})});
    cases.push_back(over_tokens("compress", bits, inputs, Limit::read));
    cases.push_back(over_tokens("decompress", bits, compressed(bits), Limit::copy));
  }
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(compression_cases);
