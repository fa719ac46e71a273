// Weights out of block formats: one of a model of 7 billion parameters.
#include "headroom/base/block_format.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

KernelCase dequantize(std::string_view format) {
  constexpr int64_t kOutputs = 11008, kInputs = 4096;
  KernelCase one;
  one.name = fmt::format("dequantize {} {}", format, dimensions({kOutputs, kInputs}));
  one.op = "dequantize";
  one.inputs = {{find_block_format(format)->dtype(), {kOutputs, kInputs}}};
  one.limit = Limit::copy;
  return one;
}

}  // namespace

std::vector<KernelCase> quantized_cases() { return {dequantize("nf4"), dequantize("int8")}; }

}  // namespace headroom

HEADROOM_KERNEL_CASES(quantized_cases);
