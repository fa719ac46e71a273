// Which update the weights get, and in how many bits its state is kept (docs/techniques/adamw8bit.md).
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class OptimizerChoice final : public Technique {
 public:
  OptimizerChoice() : Technique("optimizer", 95) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--optimizer",
             .group = "Optimizer",
             .help = "adamw; adamw8bit (2 bytes of state a parameter instead of 8, other numbers); sgd (plain w -= lr "
                     "* gradient)",
             .standard = "adamw",
             .choices = {"adamw", "adamw8bit", "sgd"}}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    const FlagValues& flags = settings.flags;
    settings.updates.optimizer = flags.is("--optimizer", "adamw8bit") ? Optimizer::adamw8bit
                                 : flags.is("--optimizer", "sgd")     ? Optimizer::sgd
                                                                      : Optimizer::adamw;
  }

  std::vector<Offer> offers() const override {
    return {
        {"--optimizer adamw8bit", Offer::Cost::numbers, "other numbers", set_flag("--optimizer", "adamw8bit", "adamw")},
        {"--optimizer sgd", Offer::Cost::optimizer, "another optimizer", set_flag("--optimizer", "sgd")}};
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    numbers.emplace_back("--optimizer", settings.flags.text("--optimizer"));
  }
};

}  // namespace
}  // namespace headroom

static const headroom::OptimizerChoice optimizer;
HEADROOM_TECHNIQUE(optimizer);
