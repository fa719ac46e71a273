// The learning rate of each step, and the scalars that the update nodes read.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace headroom {

enum class LrSchedule : uint8_t { constant, linear, cosine };
LrSchedule parse_lr_schedule(std::string_view name);  // throws InvalidInput naming --lr-schedule
std::string_view name_of(LrSchedule schedule);

struct LrSettings {
  LrSchedule schedule = LrSchedule::cosine;
  double lr = 3e-4;
  int64_t warmup_steps = 0;
  int64_t steps = 0;
};

// Step 1 is the first. Up to warmup_steps: lr * step / warmup_steps; then from lr to a tenth of it (cosine, linear),
// reached at the last step, or lr (constant).
double learning_rate(const LrSettings& settings, int64_t step);

// (lr, lr / (1 - beta1^step), sqrt(1 - beta2^step)), computed in f64 and rounded once: AdamW's bias corrections
// (Kingma and Ba 2015, algorithm 1).
std::array<float, 3> update_scalars(double lr, double beta1, double beta2, int64_t step);

}  // namespace headroom
