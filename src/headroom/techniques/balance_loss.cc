// What training adds to the loss where a gate favours some experts (docs/techniques/expert_balance.md).
#include <fmt/format.h>

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class BalanceLoss final : public Technique {
 public:
  BalanceLoss() : Technique("balance loss", 140) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--balance-loss",
             .group = "Optimizer",
             .help = "Of a mixture of experts: add this times how unevenly a sequence's tokens go to the experts of "
                     "each layer to the loss (DeepSeek-V3's sequence-wise loss: 1e-4)",
             .standard = "0",
             .kind = FlagKind::number}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    const double alpha = settings.flags.number("--balance-loss");
    if (!(alpha >= 0) || !std::isfinite(alpha)) {
      throw InvalidInput("--balance-loss {}: expected 0 or more", settings.flags.text("--balance-loss"));
    }
    settings.shape.balance_loss = alpha;
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    const double alpha = settings.shape.balance_loss;
    if (alpha != 0) numbers.emplace_back("--balance-loss", fmt::format("{}", alpha));
  }
};

}  // namespace
}  // namespace headroom

static const headroom::BalanceLoss balance_loss_technique;
HEADROOM_TECHNIQUE(balance_loss_technique);
