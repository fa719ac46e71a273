// Logits made once, with the gradients of the loss (docs/techniques/loss_gradients_at_once.md).
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class LossGradientsAtOnce final : public Technique {
 public:
  LossGradientsAtOnce() : Technique("logits", 70) {}

  std::optional<Levels> levels(const TrainingSettings&) const override { return Levels{{"logits made once", ""}}; }

  void take(const TrainingSettings&, int level, TrainingWay& way) const override {
    way.techniques.fuse_loss_gradients = level == 0;
  }
};

}  // namespace
}  // namespace headroom

static const headroom::LossGradientsAtOnce loss_gradients_at_once;
HEADROOM_TECHNIQUE(loss_gradients_at_once);
