// Products with weights in block formats: one of a model of 7 billion parameters.
#include "headroom/base/block_format.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kOutputs = 11008, kInputs = 4096;

KernelCase product(std::string_view format, int64_t rows) {
  KernelCase one;
  one.name = fmt::format("matmul {}, x W^T, {}", dimensions({rows, kOutputs, kInputs}), format);
  one.op = "matmul";
  one.inputs = {f32({rows, kInputs}), {find_block_format(format)->dtype(), {kOutputs, kInputs}}};
  one.attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}};
  one.limit = rows > 16 ? Limit::fma : Limit::read;
  return one;
}

}  // namespace

std::vector<KernelCase> quantized_cases() {
  std::vector<KernelCase> cases;
  for (const char* format : {"int8_g128", "int4_g128", "uint4_g32"}) {
    cases.push_back(product(format, 1));
    cases.push_back(product(format, 512));
  }
  for (const char* format : {"nf4", "int8", "q8_0"}) cases.push_back(product(format, 512));
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(quantized_cases);
