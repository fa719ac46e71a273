// Activations that the backward computes again instead of finding them kept (docs/techniques/checkpointing.md).
#include <fmt/format.h>

#include "headroom/passes/checkpoint.h"
#include "headroom/plan/recompute_choice.h"
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

  void apply(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    const std::string mode = mode_of(settings);
    if (mode == "full" || level > kDepths) {
      way.rewrites.step.push_back({PassPhase::checkpointing, {"checkpoint", checkpoint_layers}});
    } else if (level > 0) {
      const double depth = static_cast<double>(level) / kDepths;
      const auto partly = [depth, kernels = way.processor.kernels](Graph graph) {
        const std::vector<bool> again = RecomputeChoice(graph, *kernels).nodes_for(depth);
        return recompute(std::move(graph), again);
      };
      way.rewrites.step.push_back({PassPhase::checkpointing, {"checkpoint", partly}});
    }
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
