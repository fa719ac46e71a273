#include "headroom/train/lr_schedule.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"

namespace headroom {

LrSchedule parse_lr_schedule(std::string_view name) {
  for (const LrSchedule schedule : {LrSchedule::constant, LrSchedule::linear, LrSchedule::cosine}) {
    if (name == name_of(schedule)) return schedule;
  }
  throw InvalidInput("--lr-schedule {}: unknown schedule; expected cosine, linear or constant", name);
}

std::string_view name_of(LrSchedule schedule) {
  return schedule == LrSchedule::constant ? "constant" : schedule == LrSchedule::linear ? "linear" : "cosine";
}

double learning_rate(const LrSettings& settings, int64_t step) {
  if (step <= settings.warmup_steps) {
    return settings.lr * static_cast<double>(step) / static_cast<double>(settings.warmup_steps);
  }
  const int64_t after_warmup = settings.steps - settings.warmup_steps;
  const double progress = static_cast<double>(step - settings.warmup_steps) / static_cast<double>(after_warmup);
  const double floor = settings.lr / 10;
  switch (settings.schedule) {
    case LrSchedule::linear: return settings.lr - (settings.lr - floor) * progress;
    case LrSchedule::cosine:
      return floor + (settings.lr - floor) * 0.5 * (1.0 + real::cos(3.14159265358979323846 * progress));
    case LrSchedule::constant: break;
  }
  return settings.lr;
}

std::array<float, 3> update_scalars(double lr, double beta1, double beta2, int64_t step) {
  const double exponent = static_cast<double>(step);
  return {static_cast<float>(lr), static_cast<float>(lr / (1.0 - real::pow(beta1, exponent))),
          static_cast<float>(std::sqrt(1.0 - real::pow(beta2, exponent)))};
}

}  // namespace headroom
