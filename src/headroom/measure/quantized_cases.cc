// Products with weights in block formats: one of a model of 7 billion parameters.
#include "headroom/base/block_format.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kOutputs = 11008, kInputs = 4096;

KernelCase product(std::string_view op, std::string_view format, int64_t rows) {
  KernelCase one;
  one.name = fmt::format("{} {}, x W^T, {}", op, dimensions({rows, kOutputs, kInputs}), format);
  one.op = op;
  one.inputs = {f32({rows, kInputs}), {find_block_format(format)->dtype(), {kOutputs, kInputs}}};
  if (op == "matmul") one.attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}};
  one.limit = rows <= 16 ? Limit::read : op == "matmul" ? Limit::fma : Limit::int8;
  return one;
}

}  // namespace

std::vector<KernelCase> quantized_cases() {
  std::vector<KernelCase> cases;
  const auto add = [&](std::string_view op, std::initializer_list<std::string_view> formats) {
    for (const std::string_view format : formats) {
      for (const int64_t rows : {1, 4, 8, 512}) cases.push_back(product(op, format, rows));
    }
  };
  add("matmul", {"int8_g128", "int4_g128", "uint4_g32"});
  add("matmul_int8", {"int8_g128", "int4_g128", "int4_g32", "uint4_g64"});
  for (const char* format : {"nf4", "int8", "q8_0"}) cases.push_back(product("matmul", format, 512));
  KernelCase regrouped;
  regrouped.op = "arrange";
  regrouped.name = fmt::format("arrange {}, q8_0 to int8_g32", dimensions({kOutputs, kInputs}));
  regrouped.inputs = {{find_block_format("q8_0")->dtype(), {kOutputs, kInputs}}};
  regrouped.attributes = {{"head_rows", int64_t{0}}};
  regrouped.limit = Limit::copy;
  cases.push_back(regrouped);
  return cases;
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(quantized_cases);
