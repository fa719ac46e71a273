// Where the norm that --grad-clip clips by comes from (docs/techniques/two_pass_clipping.md).
#include "headroom/passes/two_pass_clipping.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class Clipping final : public Technique {
 public:
  Clipping() : Technique("clipping", 90) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--clip-mode",
             .group = "Memory",
             .help = "How --grad-clip gets its norm: one-pass (all gradients wait for it), two-pass (a second forward "
                     "and backward instead, so that gradients die at once; the same bits), auto (two-pass only if the "
                     "budget asks for it), or tensor (each gradient by its own norm: gradients die at once, other "
                     "numbers)",
             .standard = "auto",
             .choices = {"auto", "one-pass", "two-pass", "tensor"}}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    settings.updates.clip_tensors = settings.flags.is("--clip-mode", "tensor");
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) {
               return settings.updates.grad_clip == 0 &&
                      (settings.updates.clip_tensors || settings.flags.is("--clip-mode", "two-pass"));
             },
             "--clip-mode {--clip-mode}: --grad-clip 0 clips nothing; expected --grad-clip above 0, or no --clip-mode"},
            {[](const TrainingSettings& settings) {
               return settings.flags.is("--clip-mode", "two-pass") && settings.shape.micro_batches > 1;
             },
             "--clip-mode two-pass: with --grad-accum {--grad-accum} and --data-shards {--data-shards} the sums of all "
             "gradients stay between micro-batches, and a second pass saves nothing; expected 1 of both, or another "
             "--clip-mode"}};
  }

  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    const std::string mode = settings.flags.text("--clip-mode");
    Levels levels{.forced = mode != "auto"};
    if (mode != "two-pass") levels.words.emplace_back("");
    const bool may_choose = mode == "auto" && settings.updates.grad_clip > 0 && settings.shape.micro_batches == 1;
    if (mode == "two-pass" || may_choose) levels.words.emplace_back("two-pass clipping");
    return levels;
  }

  void apply(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    if (!is_two_pass(settings, level)) return;
    way.rewrites.job.push_back(
        {JobPhase::clipping, [](Job& job, PassTrace* trace) {
           add_norm_pass(job, run_passes(job.graphs.back(), {{"keep_only_norm", keep_only_norm, false}}, trace));
           Graph& step = job.graphs.back();
           step = run_passes(std::move(step), {{"take_clip_scale", take_clip_scale, false}}, trace);
         }});
  }

  bool allows(const TrainingSettings& settings, int level, const TrainingWay& way) const override {
    return !is_two_pass(settings, level) || way.shape.micro_batches == 1;
  }

  std::vector<Offer> offers() const override {
    return {{"--clip-mode auto", Offer::Cost::nothing, "the same numbers", set_flag("--clip-mode", "auto", "one-pass")},
            {"--clip-mode tensor", Offer::Cost::numbers, "other numbers", set_flag("--clip-mode", "tensor")}};
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    numbers.emplace_back("--clip-mode", settings.updates.clip_tensors ? "tensor" : "of all gradients");
  }

 private:
  static bool is_two_pass(const TrainingSettings& settings, int level) {
    return level == 1 || settings.flags.is("--clip-mode", "two-pass");
  }
};

}  // namespace
}  // namespace headroom

static const headroom::Clipping clipping;
HEADROOM_TECHNIQUE(clipping);
