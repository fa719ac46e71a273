// What lives on disk while nobody needs it (docs/techniques/offload.md). Its choices, from the least that leaves the
// memory to the most: nothing, more and more of it, all of it, and last all of it without overlap of transfers and
// computation, in the least memory. Only nothing without --disk; all of what --offload names, where it does.
#include <fmt/format.h>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/prefetch.h"
#include "headroom/runtime/fit.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

constexpr int kParts = 32;

OffloadKinds kinds_of(const std::string& flag) {
  if (flag == "none") return {};
  if (flag == "optimizer") return {.optimizer = true};
  if (flag == "activations") return {.activations = true};
  if (flag == "weights") return {.weights = true};
  return {.optimizer = true, .activations = true, .weights = true};
}

class Offload final : public Technique {
 public:
  Offload() : Technique("offload", 110) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--offload",
             .group = "Memory",
             .help =
                 "What moves to --disk while nobody needs it: none, all of weights, optimizer (state, and gradients "
                 "that wait), activations or all; auto: as much of all as the budget asks for",
             .standard = "auto",
             .choices = {"none", "weights", "optimizer", "activations", "all", "auto"}}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    if (settings.disk.empty() && !settings.disk_limit.empty())
      throw InvalidInput("--disk-limit {}: expected with --disk DIR", settings.disk_limit);
  }

  std::vector<Exclusion> exclusions() const override {
    return {{[](const TrainingSettings& settings) { return settings.disk.empty() && is_named(settings); },
             "--offload {--offload}: where to? Try --disk DIR as well"}};
  }

  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    Levels levels{.graded = true, .forced = !settings.flags.is("--offload", "auto"), .residence = true};
    for (const OffloadSettings& choice : choices(settings)) levels.words.push_back(words_of(choice));
    return levels;
  }

  void apply(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    if (settings.disk.empty()) return;
    const OffloadSettings choice = choice_of(kinds_of(settings.flags.text("--offload")), level + first_part(settings));
    if (choice.share == 0) return;
    way.rewrites.job.push_back({JobPhase::residence, [choice, processor = way.processor](Job& job, PassTrace* trace) {
                                  move_out(job, choice, processor, trace);
                                }});
  }

  std::vector<Offer> offers() const override {
    return {{"--disk DIR", Offer::Cost::traffic, "the same numbers, with traffic of that disk",
             [](TechniqueRequest& request) {
               if (!request.disk.empty() || request.flags.is("--offload", "none")) return false;
               request.disk = ".";
               return true;
             }}};
  }

  void check(const TrainingSettings& settings, const Plan& plan) const override {
    check_disk_limit(plan, settings.disk_limit);
  }

 private:
  static bool is_named(const TrainingSettings& settings) {
    return !settings.flags.is("--offload", "none") && !settings.flags.is("--offload", "auto");
  }

  static std::vector<OffloadSettings> choices(const TrainingSettings& settings) {
    if (settings.disk.empty()) return {{}};
    const OffloadKinds kinds = kinds_of(settings.flags.text("--offload"));
    std::vector<OffloadSettings> choices;
    const int last = kinds.any() ? kParts + 1 : 0;
    for (int part = first_part(settings); part <= last; ++part) choices.push_back(choice_of(kinds, part));
    return choices;
  }

  // Nothing, so many parts of all, or one more: all without overlap.
  static OffloadSettings choice_of(const OffloadKinds& kinds, int part) {
    if (part == 0) return {};
    return {kinds, std::min(static_cast<double>(part) / kParts, 1.0), part <= kParts};
  }

  static int first_part(const TrainingSettings& settings) { return is_named(settings) ? kParts : 0; }

  static void move_out(Job& job, const OffloadSettings& choice, const Processor& processor, PassTrace* trace) {
    const auto step = static_cast<size_t>(last_row(job.schedule("update")).graph);
    const OffloadPlan leaving = plan_offload(job.graphs[step], choice);
    if (leaving.values.empty()) return;
    std::vector<Pass> passes = {{"offload", [&](Graph graph) { return offload(std::move(graph), leaving); }}};
    if (leaving.in_flight_bytes > 0) {
      passes.push_back({"prefetch", [&](Graph graph) { return prefetch(std::move(graph), processor); }});
    }
    for (Graph& graph : job.graphs) graph = run_passes(std::move(graph), passes, trace);
  }

  static std::string words_of(const OffloadSettings& choice) {
    if (choice.share == 0) return "";
    return fmt::format("{:.0f} % of what can leave on disk{}", 100 * choice.share,
                       choice.overlap ? "" : ", one transfer at a time");
  }
};

}  // namespace
}  // namespace headroom

static const headroom::Offload offload_technique;
HEADROOM_TECHNIQUE(offload_technique);
