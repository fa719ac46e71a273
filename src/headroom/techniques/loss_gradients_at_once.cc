// Logits made once, with the gradients of the loss (docs/techniques/loss_gradients_at_once.md).
#include "headroom/passes/fuse_loss_gradients.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class LossGradientsAtOnce final : public Technique {
 public:
  LossGradientsAtOnce() : Technique("logits", 70) {}

  std::optional<Levels> levels(const TrainingSettings&) const override { return Levels{{"logits made once", ""}}; }

  void apply(const TrainingSettings&, int level, TrainingWay& way) const override {
    if (level == 0) way.rewrites.step.push_back({PassPhase::loss, {"fuse_loss_gradients", fuse_loss_gradients}});
  }
};

}  // namespace
}  // namespace headroom

static const headroom::LossGradientsAtOnce loss_gradients_at_once;
HEADROOM_TECHNIQUE(loss_gradients_at_once);
