#include "headroom/train/loss_scaler.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr float kFirstScale = 65536.0f;
constexpr int64_t kTorchWindow = 2000;
constexpr int64_t kDeepSpeedWindow = 1000;
constexpr float kDeepSpeedLeast = 1.0f;

template <class Number>
bool parse(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

LossScaler::LossScaler(const LossScaleSettings& settings)
    : settings_(settings),
      scale_(settings.fixed > 0 ? static_cast<float>(settings.fixed) : kFirstScale),
      hysteresis_left_(settings.hysteresis) {}

void LossScaler::update(bool overflowed) {
  if (!is_dynamic()) return;
  if (settings_.hysteresis == 1) {
    update_like_torch(overflowed);
  } else {
    update_like_deepspeed(overflowed);
  }
  skipped_ += overflowed ? 1 : 0;
}

void LossScaler::update_like_torch(bool overflowed) {
  clean_steps_ = overflowed ? 0 : clean_steps_ + 1;
  if (overflowed) {
    scale_ *= 0.5f;
  } else if (clean_steps_ == kTorchWindow) {
    if (std::isfinite(scale_ * 2.0f)) scale_ *= 2.0f;
    clean_steps_ = 0;
  }
}

void LossScaler::update_like_deepspeed(bool overflowed) {
  clean_steps_ = overflowed ? 0 : clean_steps_ + 1;
  if (!overflowed) {
    if (clean_steps_ % kDeepSpeedWindow != 0) return;
    hysteresis_left_ = settings_.hysteresis;
    if (std::isfinite(scale_ * 2.0f)) scale_ *= 2.0f;
    return;
  }
  if (hysteresis_left_ > 1) {
    --hysteresis_left_;
    return;
  }
  if (scale_ == kDeepSpeedLeast) {
    throw InvalidInput(
        "gradients overflow f16 at the smallest loss scale, {}; the checkpoints before it are kept; try --precision "
        "bf16 "
        "or a smaller --lr",
        kDeepSpeedLeast);
  }
  scale_ = std::max(scale_ / 2.0f, kDeepSpeedLeast);
}

LossScaler::State LossScaler::state() const {
  return {{"loss_scale", fmt::format("{}", scale_)},
          {"loss_scale_clean_steps", fmt::format("{}", clean_steps_)},
          {"loss_scale_hysteresis_left", fmt::format("{}", hysteresis_left_)},
          {"skipped_steps", fmt::format("{}", skipped_)}};
}

void LossScaler::restore(const State& state, const std::string& where) {
  const auto read = [&](const char* name, auto& number) {
    const auto found = std::find_if(state.begin(), state.end(), [&](const auto& one) { return one.first == name; });
    if (found == state.end() || !parse(found->second, number)) {
      throw InvalidInput("{}: state.json has no number {}; expected that of a run in f16", where, name);
    }
  };
  read("loss_scale", scale_);
  read("loss_scale_clean_steps", clean_steps_);
  read("loss_scale_hysteresis_left", hysteresis_left_);
  read("skipped_steps", skipped_);
}

}  // namespace headroom
