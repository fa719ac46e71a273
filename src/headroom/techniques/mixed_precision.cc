// Activations and products in 16 bits, and with f16 the factor on the loss (docs/techniques/mixed_precision.md).
#include <charconv>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/passes/mixed_precision.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

LossScaleSettings loss_scale_of(const FlagValues& flags) {
  LossScaleSettings settings;
  settings.hysteresis = flags.integer("--loss-scale-hysteresis");
  expect_count("--loss-scale-hysteresis", settings.hysteresis, 1);
  const std::string scale = flags.text("--loss-scale");
  if (scale == "dynamic") return settings;
  const auto [end, error] = std::from_chars(scale.data(), scale.data() + scale.size(), settings.fixed);
  const auto rounded = static_cast<float>(settings.fixed);
  if (error != std::errc() || end != scale.data() + scale.size() || !(rounded > 0) || !std::isfinite(rounded)) {
    throw InvalidInput("--loss-scale {}: expected dynamic, or a number above 0", scale);
  }
  if (settings.hysteresis != 1) {
    throw InvalidInput("--loss-scale-hysteresis {}: a constant --loss-scale never falls; expected --loss-scale dynamic",
                       settings.hysteresis);
  }
  return settings;
}

class MixedPrecision final : public Technique {
 public:
  MixedPrecision() : Technique("mixed precision", 10) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--precision",
             .group = "Lossy",
             .help = "Activations and products in f32, bf16 or f16: less memory and time, other numbers; weights stay "
                     "f32",
             .standard = "f32",
             .choices = {"f32", "bf16", "f16"}},
            {.name = "--loss-scale",
             .group = "Lossy",
             .help = "With --precision f16, the factor on the loss: dynamic (steps that overflow are skipped), or a "
                     "number",
             .standard = "dynamic"},
            {.name = "--loss-scale-hysteresis",
             .group = "Lossy",
             .help = "Overflows before a dynamic scale falls: 1 is PyTorch's GradScaler, more DeepSpeed's rules",
             .standard = "1",
             .kind = FlagKind::integer}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    settings.shape.precision = parse_dtype(settings.flags.text("--precision"), "--precision");
    const LossScaleSettings scale = loss_scale_of(settings.flags);
    if (settings.shape.precision == DType::f16) settings.loss_scale = scale;
    settings.updates.loss_scaled = settings.loss_scale.has_value();
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) {
               return !settings.loss_scale && (!settings.flags.is("--loss-scale", "dynamic") ||
                                               settings.flags.integer("--loss-scale-hysteresis") != 1);
             },
             "--loss-scale: gradients of {--precision} need none; expected with --precision f16 only"},
            {[](const TrainingSettings& settings) { return settings.loss_scale && settings.updates.clip_tensors; },
             "--clip-mode tensor: updates each weight before it is known whether another gradient has overflowed f16; "
             "expected auto, one-pass or two-pass, or --precision bf16"}};
  }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    const DType precision = settings.shape.precision;
    if (precision == DType::f32) return;
    const auto lower = [precision](Graph graph) { return mixed_precision(std::move(graph), precision); };
    for (auto* passes : {&way.rewrites.step, &way.rewrites.evaluation}) {
      passes->push_back({PassPhase::precision, {"mixed_precision", lower, false}});
    }
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    for (const Flag& flag : flags()) numbers.emplace_back(flag.name, settings.flags.text(flag.name));
  }
};

}  // namespace
}  // namespace headroom

static const headroom::MixedPrecision mixed_precision_technique;
HEADROOM_TECHNIQUE(mixed_precision_technique);
