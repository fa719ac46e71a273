// Counts of what is no ordinary number among activations and gradients, by layer, in the metrics (docs/cli.md).
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

  void read(const Model&, TrainingSettings& settings) const override {
    settings.shape.watch_numerics = settings.flags.is("--watch-numerics", "on");
  }
};

}  // namespace
}  // namespace headroom

static const headroom::WatchNumerics watch_numerics_technique;
HEADROOM_TECHNIQUE(watch_numerics_technique);
