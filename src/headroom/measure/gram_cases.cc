// Choosing codes by a Gram matrix: the weight and the inputs of one layer of a model of 1.3 billion parameters.
#include "headroom/base/block_format.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kOutputs = 2048, kInputs = 2048;

Type codes_type() { return {find_block_format("int4_g128")->dtype(), {kOutputs, kInputs}}; }

// Small numbers beside a large diagonal: a matrix that has a factor, and a factor.
void fill_diagonal(const Tensor& matrix) {
  for (int64_t i = 0; i < matrix.dim(0); ++i) matrix.as<float>()[i * (matrix.dim(1) + 1)] = 100;
}

KernelCase factor() {
  KernelCase one;
  one.op = "factor_gram";
  one.name = fmt::format("factor_gram {}", dimensions({kInputs, kInputs}));
  one.inputs = {f32({kInputs, kInputs})};
  one.attributes = {{"damping", 0.01}, {"group", int64_t{128}}};
  one.limit = Limit::fma;
  one.fill = [](std::span<const Tensor> inputs) { fill_diagonal(inputs[0]); };
  return one;
}

KernelCase losses() {
  KernelCase one;
  one.op = "gram_losses";
  one.name = fmt::format("gram_losses {}, int4_g128", dimensions({kOutputs, kInputs}));
  one.inputs = {f32({kOutputs, kInputs}), f32({kInputs, kInputs}), i32({kInputs}), codes_type()};
  one.limit = Limit::fma;
  one.fill = [](std::span<const Tensor> inputs) {
    fill_diagonal(inputs[1]);
    fill_ascending(inputs[2]);
  };
  return one;
}

// `is_best`: with all that it can do.
KernelCase codes(bool is_best) {
  KernelCase one = losses();
  one.op = "gptq";
  one.name = fmt::format("gptq {}, int4_g128{}", dimensions({kOutputs, kInputs}), is_best ? ", pull, 2 sweeps" : "");
  one.inputs.insert(one.inputs.begin() + 3, f32({kInputs}));
  if (is_best) one.inputs.push_back(f32({kOutputs, kInputs}));
  one.attributes = {{"search", int64_t{is_best ? 20 : 1}}, {"sweeps", int64_t{is_best ? 2 : 0}}};
  return one;
}

KernelCase encoded() {
  KernelCase one;
  one.op = "encode";
  one.name = fmt::format("encode {}, int4_g128", dimensions({kOutputs, kInputs}));
  one.inputs = {f32({kOutputs, kInputs})};
  one.attributes = {{"format", static_cast<int64_t>(codes_type().dtype)}};
  one.limit = Limit::read;
  return one;
}

}  // namespace

std::vector<KernelCase> gram_cases() { return {factor(), codes(false), codes(true), losses(), encoded()}; }

}  // namespace headroom

HEADROOM_KERNEL_CASES(gram_cases);
