// What data-parallel ranks divide among them (docs/techniques/zero.md).
#include <fmt/format.h>

#include "headroom/base/bytes.h"
#include "headroom/passes/divide_updates.h"
#include "headroom/passes/divide_weights.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

constexpr int64_t kPanelBytes = 8 * kMiB;      // of gradients that arrive
constexpr int64_t kInFlightBytes = 32 * kMiB;  // of gradients, with overlap
constexpr int64_t kAheadBytes = 64 * kMiB;     // of weights, with overlap

struct Way {
  int stage = 0;
  bool overlap = true;
};

class Zero final : public Technique {
 public:
  Zero() : Technique("ranks", 85) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--zero",
             .group = "Ranks",
             .help =
                 "What ranks divide among them, the same bits each: 0 nothing, 1 the optimizer's state and its work, "
                 "2 gradients too, 3 weights too, which are gathered layer by layer; auto: as much as the budget "
                 "asks for, from 2 on",
             .standard = "auto",
             .choices = {"auto", "0", "1", "2", "3"}}};
  }

  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    if (settings.place.ranks == 1) return std::nullopt;
    Levels levels{.graded = true, .forced = !settings.flags.is("--zero", "auto")};
    for (const Way& way : ways(settings)) {
      levels.words.push_back(fmt::format("{} ranks, ZeRO {}{}", settings.place.ranks, way.stage,
                                         way.overlap ? "" : ", one transfer at a time"));
    }
    return levels;
  }

  void apply(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    const RankPlace place = settings.place;
    if (place.ranks == 1) return;
    const Way chosen = ways(settings)[static_cast<size_t>(level)];
    const DividedUpdates updates{place, std::min(chosen.stage, 2), kPanelBytes, chosen.overlap ? kInFlightBytes : 0};
    way.rewrites.job.push_back({JobPhase::ranks, [updates](Job& job, PassTrace* trace) {
                                  Graph& step = job.graphs.back();
                                  const auto divide = [&](Graph graph) {
                                    return divide_updates(std::move(graph), updates);
                                  };
                                  step = run_passes(std::move(step), {{"divide_updates", divide, false}}, trace);
                                }});
    if (chosen.stage < 3) return;
    const int64_t ahead = chosen.overlap ? kAheadBytes : 0;
    way.rewrites.job.push_back({JobPhase::residence, [place, ahead](Job& job, PassTrace* trace) {
                                  const auto divide = [&](Graph graph) {
                                    return divide_weights(std::move(graph), place, ahead);
                                  };
                                  for (Graph& graph : job.graphs) {
                                    graph = run_passes(std::move(graph), {{"divide_weights", divide, false}}, trace);
                                  }
                                }});
  }

 private:
  static std::vector<Way> ways(const TrainingSettings& settings) {
    if (settings.flags.is("--zero", "auto")) return {{2, true}, {2, false}, {3, true}, {3, false}};
    const auto stage = static_cast<int>(settings.flags.integer("--zero"));
    return {{stage, true}, {stage, false}};
  }
};

}  // namespace
}  // namespace headroom

static const headroom::Zero zero_technique;
HEADROOM_TECHNIQUE(zero_technique);
