#include "headroom/train/what_would_fit.h"

#include <functional>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/train/training_pricing.h"

namespace headroom {
namespace {

struct Change {
  const char* flags;
  const char* price;                            // in words
  std::function<bool(TrainingRequest&)> apply;  // false: nothing to change
};

// Sets a flag that stands at another value.
template <class T>
std::function<bool(TrainingRequest&)> set(T TrainingRequest::*member, T value) {
  return [=](TrainingRequest& options) {
    if (options.*member == value) return false;
    options.*member = value;
    return true;
  };
}

bool halve(int64_t& number, int64_t least) {
  if (number / 2 < least) return false;
  number /= 2;
  return true;
}

// What costs least first.
std::vector<Change> changes() {
  return {
      {"--checkpointing auto", "the same numbers", set<std::string>(&TrainingRequest::checkpointing, "auto")},
      {"--grad-accum 0", "the same numbers", set<int64_t>(&TrainingRequest::grad_accum, 0)},
      {"--clip-mode auto", "the same numbers",
       [](TrainingRequest& options) {
         if (options.clip_mode != "one-pass") return false;
         options.clip_mode = "auto";
         return true;
       }},
      {"--disk DIR", "the same numbers, with traffic of that disk",
       [](TrainingRequest& options) {
         if (!options.disk.empty() || options.offload == "none") return false;
         options.disk = ".";
         return true;
       }},
      {"--clip-mode tensor", "other numbers",
       [](TrainingRequest& options) {
         if (options.grad_clip == 0 || options.clip_mode == "tensor") return false;
         options.clip_mode = "tensor";
         return true;
       }},
      {"--optimizer adamw8bit", "other numbers",
       [](TrainingRequest& options) {
         if (options.optimizer != "adamw") return false;
         options.optimizer = "adamw8bit";
         return true;
       }},
      {"--compress-activations 8", "other numbers",
       [](TrainingRequest& options) {
         if (options.compress_activations != "none") return false;
         options.compress_activations = "8";
         return true;
       }},
      {"half the --batch-size", "other numbers",
       [](TrainingRequest& options) {
         options.grad_accum = 0;
         return options.tokens.empty() && halve(options.batch_size, 1);
       }},
      {"half the --seq-len", "other numbers",
       [](TrainingRequest& options) { return options.tokens.empty() && halve(options.seq_len, 2); }},
      {"--lora-rank 8", "only adapters are trained",
       [](TrainingRequest& options) {
         if (options.lora_rank != 0) return false;
         options.lora_rank = 8;
         return true;
       }},
      {"--optimizer sgd", "another optimizer", set<std::string>(&TrainingRequest::optimizer, "sgd")},
  };
}

// The levels of `leanest`, of which a change may have left fewer; and for each lever that at its last level with the
// graded ones at theirs, and the others at their first.
std::vector<Way> lean_ways(const std::vector<LeverRange>& levers, const Way& leanest) {
  Way as_before;
  Way graded;
  for (size_t i = 0; i < levers.size(); ++i) {
    as_before.push_back(std::min(leanest[i], levers[i].levels - 1));
    graded.push_back(levers[i].graded ? levers[i].levels - 1 : 0);
  }
  std::vector<Way> ways = {as_before};
  for (size_t i = 0; i < levers.size(); ++i) {
    ways.push_back(graded);
    ways.back()[i] = levers[i].levels - 1;
  }
  return ways;
}

// What the changed job takes in a lean way that fits.
std::optional<int64_t> bytes_of(const TrainingRequest& options, const Model& model, int64_t tokenizer_bytes,
                                const Way& leanest, int64_t budget_bytes) {
  try {
    TrainingPricing pricing(options, model, tokenizer_bytes);
    for (const Way& way : lean_ways(ranges_of(pricing.levers()), leanest)) {
      if (!pricing.exists(way) || pricing.estimate(way).least_bytes > budget_bytes) continue;
      if (const int64_t bytes = pricing.exact_bytes(way); bytes <= budget_bytes) return bytes;
    }
  } catch (const InvalidInput&) {  // the change does not go with another flag
  }
  return std::nullopt;
}

}  // namespace

std::string what_would_fit(const TrainingRequest& options, const Model& model, int64_t tokenizer_bytes,
                           const Way& leanest, const Budget& budget) {
  std::string lines;
  for (const Change& change : changes()) {
    TrainingRequest changed = options;
    if (!change.apply(changed)) continue;
    const std::optional<int64_t> bytes = bytes_of(changed, model, tokenizer_bytes, leanest, budget.bytes);
    if (bytes) lines += fmt::format("\n  would fit: {} ({}), in {}", change.flags, change.price, format_bytes(*bytes));
  }
  return lines;
}

}  // namespace headroom
