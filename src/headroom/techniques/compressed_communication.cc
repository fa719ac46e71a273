// What ranks exchange, in fewer bits (docs/techniques/compressed_communication.md).
#include <fmt/format.h>

#include <algorithm>

#include "headroom/passes/compress_exchanges.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

constexpr const char* kFlag = "--compress-communication";

class CompressedCommunication final : public Technique {
 public:
  CompressedCommunication() : Technique("compressed communication", 87) {}  // after "ranks", which it rewrites

  std::vector<Flag> flags() const override {
    return {{.name = kFlag,
             .group = "Ranks",
             .help =
                 "What crosses the wire in fewer bits: weights that --zero 3 gathers in 8, gradients in 4 rounded at "
                 "random, or both: 3.9 and 7.8 times less. Other numbers, which depend on the number of ranks",
             .standard = "none",
             .choices = {"none", "weights", "gradients", "both"}}};
  }

  std::vector<Exclusion> exclusions() const override {
    return {
        {[](const TrainingSettings& settings) {
           return !settings.flags.is(kFlag, "none") && settings.place.ranks == 1;
         },
         "--compress-communication {--compress-communication}: one rank sends nothing; expected several, under "
         "mpirun, or none"},
        {[](const TrainingSettings& settings) { return of_weights(settings) && !settings.flags.is("--zero", "3"); },
         "--compress-communication {--compress-communication}: weights are gathered for use by --zero 3 alone; "
         "expected that, or gradients; got --zero {--zero}"},
        {[](const TrainingSettings& settings) { return of_weights(settings) && settings.shape.weights != DType::f32; },
         "--compress-communication {--compress-communication}: compresses weights of f32; expected "
         "--master-weights f32, or gradients"}};
  }

  // Never chosen: it changes numbers.
  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    if (settings.flags.is(kFlag, "none")) return std::nullopt;
    const std::string weights = of_weights(settings) ? fmt::format("weights in {} bits", kWeightBitsOnWire) : "";
    const std::string gradients =
        of_gradients(settings) ? fmt::format("gradients in {} bits", kGradientBitsOnWire) : "";
    return Levels{.words = {fmt::format("{}{}{} between ranks, lossy", weights,
                                        weights.empty() || gradients.empty() ? "" : " and ", gradients)},
                  .forced = true};
  }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    if (of_gradients(settings)) {
      const RankPlace place = settings.place;
      way.rewrites.job.push_back(
          {JobPhase::ranks, [place](Job& job, PassTrace* trace) {
             const auto compress = [place](Graph graph) {
               return compress_scattered_gradients(std::move(graph), place);
             };
             Graph& step = job.graphs.back();
             step = run_passes(std::move(step), {{"compress_scattered_gradients", compress, false}}, trace);
           }});
    }
    if (!of_weights(settings)) return;
    way.rewrites.job.push_back(
        {JobPhase::residence, [](Job& job, PassTrace* trace) {
           for (Graph& graph : job.graphs) {
             if (!has_backward(graph)) continue;  // held-out losses are of the masters
             graph =
                 run_passes(std::move(graph), {{"compress_gathered_weights", compress_gathered_weights, false}}, trace);
           }
         }});
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    if (settings.flags.is(kFlag, "none")) return;
    numbers.emplace_back(kFlag, settings.flags.text(kFlag));
    numbers.emplace_back("ranks that compress", fmt::format("{}", settings.place.ranks));
  }

 private:
  static bool of_weights(const TrainingSettings& settings) {
    return settings.flags.is(kFlag, "weights") || settings.flags.is(kFlag, "both");
  }
  static bool of_gradients(const TrainingSettings& settings) {
    return settings.flags.is(kFlag, "gradients") || settings.flags.is(kFlag, "both");
  }
  static bool has_backward(const Graph& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                       [](const Node& node) { return node.phase == Phase::backward; });
  }
};

}  // namespace
}  // namespace headroom

static const headroom::CompressedCommunication compressed_communication;
HEADROOM_TECHNIQUE(compressed_communication);
