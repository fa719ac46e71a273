// Optimizers, and the table of embeddings with its gradient.
//   T tokens, V rows of the table, F features.
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

const Type kWeight = f32({8192, 2048});  // 64 MiB

void fill_step(std::span<const Tensor> inputs, size_t scalars) {
  for (const auto& [index, value] : {std::pair<int, float>{0, 1e-4f}, {1, 1e-4f}, {2, 1.0f}}) {
    inputs[scalars].as<float>()[index] = value;
  }
}

KernelCase adamw() {
  KernelCase one;
  one.name = "adamw 8192x2048";
  one.op = "adamw";
  one.inputs = {kWeight, kWeight, kWeight, kWeight, f32({3}), f32({1})};
  one.attributes = {{"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}};
  one.limit = Limit::update;
  one.fill = [](std::span<const Tensor> inputs) {
    fill_constant(inputs[2], 0.25f);  // a mean of squares
    fill_step(inputs, 4);
    fill_constant(inputs[5], 1);
  };
  return one;
}

KernelCase adamw8bit(DType dtype) {
  const Type codes = u8(kWeight.shape);
  const Type scales = f32({kWeight.shape.elements() / 256});
  KernelCase one;
  one.name = fmt::format("adamw8bit 8192x2048, {}", name_of(dtype));
  one.op = "adamw8bit";
  one.inputs = {{dtype, kWeight.shape}, codes, scales, codes, scales, kWeight, f32({3})};
  one.attributes = {{"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}};
  if (dtype == DType::bf16) {
    one.inputs.push_back(i32({4}));  // random_key
    one.attributes.set("site", int64_t{1});
  }
  one.inputs.push_back(f32({1}));
  one.limit = Limit::update;
  one.fill = [](std::span<const Tensor> inputs) {
    fill_constant(inputs[4], 0.25f);  // a mean of squares
    fill_step(inputs, 6);
    fill_constant(inputs.back(), 1);
  };
  return one;
}

KernelCase sgd() {
  KernelCase one;
  one.name = "sgd 8192x2048";
  one.op = "sgd";
  one.inputs = {kWeight, kWeight, f32({3}), f32({1})};
  one.limit = Limit::update;
  one.fill = [](std::span<const Tensor> inputs) {
    fill_step(inputs, 2);
    fill_constant(inputs[3], 1);
  };
  return one;
}

// The last shard's gradient and a partial sum into another partial sum.
KernelCase join_partials() {
  KernelCase one;
  one.name = "join_partials 8192x2048 of 3";
  one.op = "join_partials";
  one.inputs = {kWeight, kWeight, kWeight};
  one.attributes = {{"add", int64_t{1}}};
  one.limit = Limit::update;
  return one;
}

// What --watch-numerics reads.
KernelCase count_numerics(DType dtype) {
  KernelCase one;
  one.name = fmt::format("count_numerics 8192x2048, {}", name_of(dtype));
  one.op = "count_numerics";
  one.inputs = {{dtype, kWeight.shape}};
  one.limit = Limit::read;
  return one;
}

constexpr int64_t kTableReads = 16384, kTableRows = 32000, kTableFeatures = 2048;

KernelCase embedding(DType dtype) {
  KernelCase one;
  one.name =
      fmt::format("embedding {} of {} rows, {}", dimensions({kTableReads, kTableFeatures}), kTableRows, name_of(dtype));
  one.op = "embedding";
  one.inputs = {{dtype, {kTableRows, kTableFeatures}}, i32({kTableReads})};
  one.limit = Limit::copy;
  one.fill = [](std::span<const Tensor> inputs) { fill_ids(inputs[1], kTableRows); };
  one.work = static_cast<double>(kTableReads * kTableFeatures * (size_of(dtype) + size_of(DType::f32)));
  return one;
}

// A training batch over a table: most rows get nothing.
KernelCase embedding_backward() {
  const int64_t tokens = 2048, features = 768;
  KernelCase one;
  one.name = fmt::format("embedding_backward {} into {} rows", dimensions({tokens, features}), kTableRows);
  one.op = "embedding_backward";
  one.inputs = {i32({tokens}), f32({tokens, features})};
  one.attributes = {{"rows", kTableRows}, {"add", int64_t{0}}};
  one.limit = Limit::copy;
  one.fill = [](std::span<const Tensor> inputs) { fill_ids(inputs[0], kTableRows); };
  return one;
}

}  // namespace

std::vector<KernelCase> parameter_cases() {
  return {adamw(),
          adamw8bit(DType::f32),
          adamw8bit(DType::bf16),
          sgd(),
          join_partials(),
          embedding(DType::f32),
          embedding(DType::bf16),
          embedding_backward(),
          count_numerics(DType::f32),
          count_numerics(DType::bf16)};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(parameter_cases);
