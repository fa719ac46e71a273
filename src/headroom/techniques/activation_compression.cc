// Activations kept in fewer bits until the backward reads them (docs/techniques/activation_compression.md).
#include <fmt/format.h>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/passes/compress_activations.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class ActivationCompression final : public Technique {
 public:
  ActivationCompression() : Technique("compressed activations", 100) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--compress-activations",
             .group = "Memory",
             .help =
                 "What the backward will read again is kept in bf16, or in 8 or 4 bits rounded at random: 2, 3.9 or "
                 "7.8 times less. Gradients become other numbers; losses of a step stay exact",
             .standard = "none",
             .choices = {"none", "bf16", "8", "4", "sparse"}}};
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) {
               return !settings.flags.is("--compress-activations", "none") && settings.shape.precision != DType::f32;
             },
             "--compress-activations {--compress-activations}: compresses activations of f32; expected --precision "
             "f32, got {--precision}"},
            {[](const TrainingSettings& settings) { return settings.flags.is("--compress-activations", "sparse"); },
             "--compress-activations sparse: no op of this model makes many zeros (SiLU has none; ReLU would), so "
             "nothing would get smaller; expected bf16, 8 or 4"}};
  }

  // Never chosen: it changes numbers.
  std::optional<Levels> levels(const TrainingSettings&) const override { return Levels{.words = {""}, .forced = true}; }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    const std::string format = settings.flags.text("--compress-activations");
    if (format == "none") return;
    const int64_t bits = format == "bf16" ? 16 : format == "8" ? 8 : 4;
    const auto compress = [bits](Graph graph) { return compress_activations(std::move(graph), bits); };
    way.rewrites.step.push_back({PassPhase::compression, {"compress_activations", compress, false}});
  }

  std::vector<Offer> offers() const override {
    return {{"--compress-activations 8", Offer::Cost::numbers, "other numbers",
             set_flag("--compress-activations", "8", "none")}};
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    const FlagValues& flags = settings.flags;
    if (flags.is("--compress-activations", "none")) return;
    numbers.emplace_back("--compress-activations", flags.text("--compress-activations"));
    numbers.emplace_back("--checkpointing",
                         flags.is("--checkpointing", "auto") ? "none" : flags.text("--checkpointing"));
  }

  std::string describe(const std::vector<Graph>& graphs) const override {
    for (const Graph& graph : graphs) {
      const CompressedBytes bytes = compressed_bytes(graph);
      if (graph.name != "step" || bytes.f32 == 0) continue;
      return fmt::format(", activations kept in {} instead of {} ({:.2f} times less)", format_bytes(bytes.compressed),
                         format_bytes(bytes.f32),
                         static_cast<double>(bytes.f32) / static_cast<double>(bytes.compressed));
    }
    return "";
  }
};

}  // namespace
}  // namespace headroom

static const headroom::ActivationCompression activation_compression;
HEADROOM_TECHNIQUE(activation_compression);
