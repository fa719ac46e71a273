// `plan` of a training job for several ranks, none of which is started: what they divide and what each sends, beside
// the plan that they all have.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/plan/rank_sends.h"
#include "headroom/runtime/fit.h"
#include "headroom/techniques/flag.h"

namespace headroom {

struct RankPlan {
  int64_t ranks = 1;
  int zero = 0;    // the stage that is asked for or was chosen; 0 for one rank
  RankSends sent;  // in a step, by rank 0, whose parts are the largest
};

// Of a job that was fitted for so many ranks, with `flags`.
RankPlan rank_plan_of(const FittedJob& job, int64_t ranks, const FlagValues& flags);

// Lines for people; each ends with a newline.
std::string describe(const RankPlan& plan);
// Adds "ranks", "zero" and "sent_bytes".
void add_ranks(nlohmann::ordered_json& report, const RankPlan& plan);

}  // namespace headroom
