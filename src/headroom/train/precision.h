// --precision, --master-weights and the loss scale: what they ask for, and what they exclude.
#pragma once

#include "headroom/base/dtype.h"
#include "headroom/train/loss_scaler.h"
#include "headroom/train/training_request.h"

namespace headroom {

struct Precision {
  DType activations = DType::f32;
  DType weights = DType::f32;    // f32, or bf16: rounded stochastically, without an f32 copy
  bool scales_loss = false;      // f16
  LossScaleSettings loss_scale;  // where it does
};

// Throws InvalidInput naming the option that is unknown or excluded by another.
Precision read_precision(const TrainingRequest& options);

}  // namespace headroom
