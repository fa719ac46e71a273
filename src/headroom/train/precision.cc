#include "headroom/train/precision.h"

#include "headroom/base/errors.h"

namespace headroom {
namespace {

DType read_format(const char* flag, const std::string& name, std::initializer_list<DType> choices,
                  const char* expected) {
  for (const DType dtype : choices) {
    if (name == name_of(dtype)) return dtype;
  }
  throw InvalidInput("{} {}: expected {}", flag, name, expected);
}

}  // namespace

Precision read_precision(const TrainingRequest& options) {
  Precision precision;
  precision.activations =
      read_format("--precision", options.precision, {DType::f32, DType::bf16, DType::f16}, "f32, bf16 or f16");
  precision.weights = read_format("--master-weights", options.master_weights, {DType::f32, DType::bf16}, "f32 or bf16");
  precision.scales_loss = precision.activations == DType::f16;
  precision.loss_scale = read_loss_scale(options.loss_scale, options.loss_scale_hysteresis);
  if (!precision.scales_loss && (options.loss_scale != "dynamic" || options.loss_scale_hysteresis != 1)) {
    throw InvalidInput("--loss-scale: gradients of {} need none; expected with --precision f16 only",
                       name_of(precision.activations));
  }
  if ((options.lora_rank > 0 || !options.adapter.empty()) &&
      (precision.activations != DType::f32 || precision.weights != DType::f32)) {
    throw InvalidInput(
        "--precision {} with --master-weights {}: adapters and what flows through them are computed in f32; expected "
        "f32 "
        "for both with --lora-rank or --adapter",
        options.precision, options.master_weights);
  }
  if (options.compress_activations != "none" && precision.activations != DType::f32) {
    throw InvalidInput("--compress-activations {}: compresses activations of f32; expected --precision f32, got {}",
                       options.compress_activations, options.precision);
  }
  if (precision.scales_loss && precision.weights == DType::bf16) {
    throw InvalidInput(
        "--master-weights bf16: products in f16 would round the weights again; expected --precision bf16 or f32");
  }
  if (precision.scales_loss && options.clip_mode == "tensor") {
    throw InvalidInput(
        "--clip-mode tensor: updates each weight before it is known whether another gradient has overflowed f16; "
        "expected auto, one-pass or two-pass, or --precision bf16");
  }
  return precision;
}

}  // namespace headroom
