// Counts of what is no ordinary number among activations and gradients, by layer, in the metrics (docs/cli.md).
#include "headroom/passes/watch_numerics.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class WatchNumerics final : public Technique {
 public:
  WatchNumerics() : Technique("watched numerics", 120) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--watch-numerics",
             .group = "Output",
             .help = "Shares of NaN, infinities, underflow and zeros among activations and gradients, by layer, in the "
                     "metrics",
             .standard = "off",
             .kind = FlagKind::on_off,
             .choices = {"on", "off"}}};
  }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    if (!settings.flags.is("--watch-numerics", "on")) return;
    way.rewrites.step.push_back({PassPhase::watching, {"watch_numerics", watch_numerics, false}});
  }
};

}  // namespace
}  // namespace headroom

static const headroom::WatchNumerics watch_numerics_technique;
HEADROOM_TECHNIQUE(watch_numerics_technique);
