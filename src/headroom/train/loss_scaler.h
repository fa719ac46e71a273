// The factor on the loss that keeps small gradients of f16 above its smallest number (Micikevicius et al. 2018, section
// 3.2), and when it changes. A step whose gradients overflow is skipped.
//   Hysteresis 1: torch.amp.GradScaler, from 2^16, twice as much after 2000 clean steps, half after an overflow.
//   Hysteresis N > 1: DeepSpeed's DynamicLossScaler, from 2^16, at least 1, twice as much every 1000 clean steps; N - 1
//   overflows are forgiven before the scale falls, and again only after it has grown.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "headroom/techniques/training_settings.h"

namespace headroom {

class LossScaler {
 public:
  explicit LossScaler(const LossScaleSettings& settings);

  float scale() const { return scale_; }
  bool is_dynamic() const { return settings_.fixed == 0; }
  int64_t skipped() const { return skipped_; }

  // After a step. Throws InvalidInput where DeepSpeed's rules end the run: an overflow at the smallest scale.
  void update(bool overflowed);

  // What a checkpoint keeps, by name, and the way back. Throws InvalidInput naming `where` when it does not fit.
  using State = std::vector<std::pair<std::string, std::string>>;
  State state() const;
  void restore(const State& state, const std::string& where);

 private:
  void update_like_torch(bool overflowed);
  void update_like_deepspeed(bool overflowed);

  LossScaleSettings settings_;
  float scale_;
  int64_t clean_steps_ = 0;  // since the scale changed, or the last overflow
  int64_t hysteresis_left_;
  int64_t skipped_ = 0;
};

}  // namespace headroom
