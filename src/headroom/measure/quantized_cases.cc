// Frozen weights out of 4 and 8 bits: one of a model of 7 billion parameters.
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kOutputs = 11008, kInputs = 4096, kElements = kOutputs * kInputs;
constexpr int64_t kBlocks = kElements / 64;

KernelCase dequantize(std::string_view op, std::vector<Type> inputs) {
  KernelCase one;
  one.name = fmt::format("{} {}", op, dimensions({kOutputs, kInputs}));
  one.op = op;
  one.inputs = std::move(inputs);
  one.attributes = {{"rows", kOutputs}, {"columns", kInputs}};
  one.limit = Limit::copy;
  return one;
}

}  // namespace

std::vector<KernelCase> quantized_cases() {
  return {dequantize("dequantize_nf4", {u8({kElements / 2}), u8({kBlocks}), f32({kBlocks / 256 + 1})}),
          dequantize("dequantize_int8", {u8({kElements}), f32({kBlocks})})};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(quantized_cases);
