#include "headroom/train/offload_choice.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int kParts = 32;

OffloadKinds kinds_of(const std::string& flag) {
  if (flag == "none") return {};
  if (flag == "optimizer") return {.optimizer = true};
  if (flag == "activations") return {.activations = true};
  if (flag == "weights") return {.weights = true};
  if (flag == "all" || flag == "auto") return {.optimizer = true, .activations = true, .weights = true};
  throw InvalidInput("--offload {}: expected none, weights, optimizer, activations, all or auto", flag);
}

}  // namespace

std::vector<OffloadSettings> offload_choices(const TrainingRequest& options) {
  const OffloadKinds kinds = kinds_of(options.offload);
  const bool is_forced = options.offload != "none" && options.offload != "auto";
  if (options.disk.empty()) {
    if (is_forced) throw InvalidInput("--offload {}: where to? Try --disk DIR as well", options.offload);
    if (!options.disk_limit.empty())
      throw InvalidInput("--disk-limit {}: expected with --disk DIR", options.disk_limit);
    return {{}};
  }
  std::vector<OffloadSettings> choices;
  if (!is_forced) choices.push_back({});
  if (!kinds.any()) return choices;
  for (int part = is_forced ? kParts : 1; part <= kParts; ++part) {
    choices.push_back({kinds, static_cast<double>(part) / kParts, true, options.threads});
  }
  choices.push_back({kinds, 1, false, options.threads});
  return choices;
}

std::string describe(const OffloadSettings& choice) {
  if (choice.share == 0) return "";
  return fmt::format("{:.0f} % of what can leave on disk{}", 100 * choice.share,
                     choice.overlap ? "" : ", one transfer at a time");
}

void check_disk_limit(const TrainingRequest& options, const Plan& plan) {
  if (options.disk_limit.empty()) return;
  const int64_t limit = parse_bytes(options.disk_limit, "--disk-limit");
  if (plan.disk_bytes <= limit) return;
  throw BudgetExceeded(0, "this job keeps {} on disk in this --memory, more than --disk-limit {}; try a larger one",
                       format_bytes_exactly(plan.disk_bytes), format_bytes_exactly(limit));
}

}  // namespace headroom
