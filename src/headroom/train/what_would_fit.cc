#include "headroom/train/what_would_fit.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/train/training_pricing.h"

namespace headroom {
namespace {

bool halve(int64_t& number, int64_t least) {
  if (number / 2 < least) return false;
  number /= 2;
  return true;
}

// A smaller update, which no technique offers.
struct Change {
  std::string_view flags;
  std::string_view price;
  std::function<bool(TrainingRequest&)> apply;  // false: nothing to change
};

std::vector<Change> smaller_updates() {
  return {{"half the --batch-size", "other numbers",
           [](TrainingRequest& request) {
             request.flags.set("--grad-accum", "0");
             return request.tokens.empty() && halve(request.batch_size, 1);
           }},
          {"half the --seq-len", "other numbers",
           [](TrainingRequest& request) { return request.tokens.empty() && halve(request.seq_len, 2); }}};
}

// What costs least first.
std::vector<Change> changes() {
  std::vector<Change> all;
  for (const Offer::Cost cost : {Offer::Cost::nothing, Offer::Cost::traffic, Offer::Cost::numbers,
                                 Offer::Cost::capacity, Offer::Cost::optimizer}) {
    for (const Technique* technique : techniques()) {
      for (const Offer& offer : technique->offers()) {
        if (offer.cost == cost) all.push_back({offer.flags, offer.price, offer.apply});
      }
    }
    if (cost != Offer::Cost::numbers) continue;
    for (Change& change : smaller_updates()) all.push_back(std::move(change));
  }
  return all;
}

// The levels of `leanest`, of which a change may have left fewer; and for each technique that at its last level with
// the graded ones at theirs, and the others at their first.
std::vector<Choice> lean_ways(const std::vector<LevelRange>& ranges, const Choice& leanest) {
  Choice as_before;
  Choice graded;
  for (size_t i = 0; i < ranges.size(); ++i) {
    as_before.push_back(std::min(leanest[i], ranges[i].levels - 1));
    graded.push_back(ranges[i].graded ? ranges[i].levels - 1 : 0);
  }
  std::vector<Choice> ways = {as_before};
  for (size_t i = 0; i < ranges.size(); ++i) {
    Choice way = graded;
    way[i] = ranges[i].levels - 1;
    if (std::find(ways.begin(), ways.end(), way) == ways.end()) ways.push_back(std::move(way));
  }
  return ways;
}

// What the changed job takes in a lean way that fits.
std::optional<int64_t> bytes_of(const TrainingRequest& request, const Model& model, int64_t tokenizer_bytes,
                                const Choice& leanest, int64_t budget_bytes) {
  try {
    TrainingPricing pricing(request, model, tokenizer_bytes);
    for (const Choice& way : lean_ways(pricing.ranges(), leanest)) {
      if (!pricing.exists(way) || pricing.estimate(way).least_bytes > budget_bytes) continue;
      if (const int64_t bytes = pricing.exact_bytes(way); bytes <= budget_bytes) return bytes;
    }
  } catch (const InvalidInput&) {  // the change does not go with another flag
  }
  return std::nullopt;
}

}  // namespace

std::string what_would_fit(const TrainingRequest& request, const Model& model, int64_t tokenizer_bytes,
                           const Choice& leanest, const Budget& budget) {
  std::string lines;
  for (const Change& change : changes()) {
    TrainingRequest changed = request;
    if (!change.apply(changed)) continue;
    const std::optional<int64_t> bytes = bytes_of(changed, model, tokenizer_bytes, leanest, budget.bytes);
    if (bytes) lines += fmt::format("\n  would fit: {} ({}), in {}", change.flags, change.price, format_bytes(*bytes));
  }
  return lines;
}

}  // namespace headroom
