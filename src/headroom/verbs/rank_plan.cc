#include "headroom/verbs/rank_plan.h"
#include "headroom/graph/binding.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/graph/binding.h"

namespace headroom {
namespace {

bool divides_weights(const Plan& plan) {
  return std::any_of(plan.persistent.begin(), plan.persistent.end(), [](const PersistentValue& value) {
    return value.role == Role::weight && value.binding && value.binding->cut;
  });
}

int stage_of(const FittedJob& job, int64_t ranks, const FlagValues& flags) {
  if (ranks == 1) return 0;
  if (!flags.is("--zero", "auto")) return static_cast<int>(flags.integer("--zero"));
  return divides_weights(job.plan) ? 3 : 2;
}

}  // namespace

RankPlan rank_plan_of(const FittedJob& job, int64_t ranks, const FlagValues& flags) {
  return {ranks, stage_of(job, ranks, flags), sends_of(job.graphs, job.plan.schedule("update"), 0)};
}

std::string describe(const RankPlan& plan) {
  if (plan.ranks == 1) return "One rank: nothing is divided or sent\n";
  return fmt::format(
      "The plan of each of {} ranks, ZeRO stage {}\n"
      "  a rank sends {} in a step: {} of gradients to the ranks that add them, {} of sums and weights to all\n",
      plan.ranks, plan.zero, format_bytes(plan.sent.all_bytes()), format_bytes(plan.sent.scatter_bytes),
      format_bytes(plan.sent.gather_bytes));
}

void add_ranks(nlohmann::ordered_json& report, const RankPlan& plan) {
  report["ranks"] = plan.ranks;
  report["zero"] = plan.zero;
  report["sent_bytes"] = {{"reduce_scatter", plan.sent.scatter_bytes}, {"all_gather", plan.sent.gather_bytes}};
}

}  // namespace headroom
