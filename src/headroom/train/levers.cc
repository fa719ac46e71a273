#include "headroom/train/levers.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/train/activation_compression.h"
#include "headroom/train/clip_mode.h"
#include "headroom/train/offload_choice.h"

namespace headroom {
namespace {

// Steps between nothing computed again and as little kept as can be.
constexpr int kRecomputeDepths = 16;

Lever checkpointing(const TrainingRequest& options) {
  const std::string mode = checkpointing_of(options);
  if (mode != "none" && mode != "full" && mode != "auto") {
    throw InvalidInput("--checkpointing {}: expected none, full or auto", mode);
  }
  Lever lever{.name = "checkpointing", .levels = {"checkpointing none"}, .graded = true};
  if (mode == "auto") {
    for (int depth = 1; depth <= kRecomputeDepths; ++depth) {
      lever.levels.push_back(fmt::format("checkpointing {}/{}", depth, kRecomputeDepths));
    }
    lever.levels.emplace_back("checkpointing full");
    lever.set = [](TrainingWay& way, int level) {
      way.techniques.checkpoint_layers = level > kRecomputeDepths;
      way.techniques.recompute_depth = level > kRecomputeDepths ? 0 : static_cast<double>(level) / kRecomputeDepths;
    };
    return lever;
  }
  lever.forced = true;
  lever.levels = {"checkpointing " + mode};
  lever.set = [mode](TrainingWay& way, int) { way.techniques.checkpoint_layers = mode == "full"; };
  return lever;
}

Lever loss_gradients() {
  return {.name = "logits", .levels = {"logits made once", ""}, .set = [](TrainingWay& way, int level) {
            way.techniques.fuse_loss_gradients = level == 0;
          }};
}

// The divisors of `rows` that are a third above the one before: a batch of a million rows has no use for all.
std::vector<int64_t> divisors(int64_t rows) {
  std::vector<int64_t> small;
  std::vector<int64_t> large;
  for (int64_t count = 1; count * count <= rows; ++count) {
    if (rows % count != 0) continue;
    small.push_back(count);
    if (count * count != rows) large.push_back(rows / count);
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  std::vector<int64_t> chosen;
  for (const int64_t count : small) {
    if (chosen.empty() || 3 * count >= 4 * chosen.back()) chosen.push_back(count);
  }
  return chosen;
}

Lever micro_batches(const TrainingRequest& options, const TrainingShape& whole) {
  const int64_t rows = whole.micro_rows * whole.micro_batches;
  Lever lever{.name = "micro-batches", .forced = options.grad_accum > 0};
  std::vector<int64_t> counts = {whole.micro_batches};
  if (!lever.forced) {
    counts = divisors(whole.micro_rows);
    for (int64_t& count : counts) count *= whole.micro_batches;
  }
  for (const int64_t count : counts) {
    lever.levels.push_back(count == 1 ? "" : fmt::format("{} micro-batches", count));
  }
  lever.set = [counts, rows](TrainingWay& way, int level) {
    const int64_t count = counts[static_cast<size_t>(level)];
    way.shape.micro_batches = count;
    way.shape.micro_rows = rows / count;
  };
  return lever;
}

Lever clipping(const TrainingRequest& options, const TrainingShape& whole) {
  const std::vector<bool> choices = two_pass_choices(options, whole);
  Lever lever{.name = "clipping", .forced = options.clip_mode != "auto"};
  for (const bool two_pass : choices) lever.levels.push_back(two_pass ? "two-pass clipping" : "");
  lever.set = [choices](TrainingWay& way, int level) {
    way.techniques.two_pass_clipping = choices[static_cast<size_t>(level)];
  };
  lever.allows = [](const TrainingWay& way) {
    return !way.techniques.two_pass_clipping || way.shape.micro_batches == 1;
  };
  return lever;
}

// Never chosen: it changes numbers.
Lever compression(const TrainingRequest& options) {
  const int64_t bits = compression_bits(options);
  return {.name = "compressed activations", .levels = {""}, .forced = true, .set = [bits](TrainingWay& way, int) {
            way.techniques.compress_bits = bits;
          }};
}

Lever offloading(const TrainingRequest& options) {
  const std::vector<OffloadSettings> choices = offload_choices(options);
  Lever lever{.name = "offload", .graded = true, .forced = options.offload != "auto"};
  for (const OffloadSettings& choice : choices) lever.levels.push_back(describe(choice));
  lever.set = [choices](TrainingWay& way, int level) { way.techniques.offload = choices[static_cast<size_t>(level)]; };
  return lever;
}

}  // namespace

std::vector<Lever> training_levers(const TrainingRequest& options, const TrainingShape& whole) {
  return {checkpointing(options),   loss_gradients(),     micro_batches(options, whole),
          clipping(options, whole), compression(options), offloading(options)};
}

std::vector<LeverRange> ranges_of(const std::vector<Lever>& levers) {
  std::vector<LeverRange> ranges;
  for (const Lever& lever : levers) ranges.push_back({static_cast<int>(lever.levels.size()), lever.graded});
  return ranges;
}

TrainingWay way_of(const std::vector<Lever>& levers, const TrainingShape& whole, const Way& levels) {
  TrainingWay way{.shape = whole, .techniques = {}};
  for (size_t i = 0; i < levers.size(); ++i) levers[i].set(way, levels[i]);
  return way;
}

bool allows(const std::vector<Lever>& levers, const TrainingWay& way) {
  return std::all_of(levers.begin(), levers.end(),
                     [&](const Lever& lever) { return lever.allows == nullptr || lever.allows(way); });
}

std::string describe(const std::vector<Lever>& levers, const Way& levels) {
  std::string text;
  for (size_t i = 0; i < levers.size(); ++i) {
    const std::string& word = levers[i].levels[static_cast<size_t>(levels[i])];
    if (!word.empty()) text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

}  // namespace headroom
