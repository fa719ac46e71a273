// Activations that the backward computes again instead of finding them kept (docs/techniques/checkpointing.md).
#include <fmt/format.h>

#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

// Steps between nothing computed again and as little kept as can be.
constexpr int kDepths = 16;

class Checkpointing final : public Technique {
 public:
  Checkpointing() : Technique("checkpointing", 60) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--checkpointing",
             .group = "Memory",
             .help = "Recompute activations in the backward: none, full (every layer), auto (only if the budget asks "
                     "for it)",
             .standard = "auto",
             .choices = {"none", "full", "auto"}}};
  }

  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    const std::string mode = mode_of(settings);
    Levels levels{.words = {"checkpointing " + mode}, .graded = true, .forced = mode != "auto"};
    if (levels.forced) return levels;
    levels.words = {"checkpointing none"};
    for (int depth = 1; depth <= kDepths; ++depth)
      levels.words.push_back(fmt::format("checkpointing {}/{}", depth, kDepths));
    levels.words.emplace_back("checkpointing full");
    return levels;
  }

  void take(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    const std::string mode = mode_of(settings);
    way.techniques.checkpoint_layers = mode == "full" || level > kDepths;
    way.techniques.recompute_depth = level > kDepths ? 0 : static_cast<double>(level) / kDepths;
  }

  std::vector<Offer> offers() const override {
    return {{"--checkpointing auto", Offer::Cost::nothing, "the same numbers", set_flag("--checkpointing", "auto")}};
  }

 private:
  // `auto` is `none` under compression: which activations are kept decides which are rounded, so the budget, which may
  // not change numbers, must not choose it.
  static std::string mode_of(const TrainingSettings& settings) {
    const std::string mode = settings.flags.text("--checkpointing");
    return mode == "auto" && !settings.flags.is("--compress-activations", "none") ? "none" : mode;
  }
};

}  // namespace
}  // namespace headroom

static const headroom::Checkpointing checkpointing;
HEADROOM_TECHNIQUE(checkpointing);
