// What the ranks of a training job tell each other before it and after it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/comm/communicator.h"
#include "headroom/headroom.h"
#include "headroom/runtime/fit.h"
#include "headroom/train/trainer.h"

namespace headroom {

// Of --memory, one size or as many as there are ranks ("4GiB,2GiB"): this rank's. Throws InvalidInput for another
// number.
std::string memory_of_rank(const std::string& flag, const Communicator& ranks);

// The least of all ranks' budgets, which the one plan for all is made for; `own` where there is one rank. An automatic
// one is shared by the ranks of a machine.
Budget tightest_budget(Budget own, Communicator* ranks);

// Throws InvalidInput, the same on all ranks, where they differ in what makes the numbers, in their instruction set, or
// in the graphs that they are about to run.
void check_ranks_agree(Communicator& ranks, const RunSettings& numbers, const FittedJob& job, std::string_view isa);

struct RankUse {
  int64_t predicted_peak_bytes = 0;
  int64_t measured_peak_bytes = 0;
  int64_t arena_bytes = 0;
  int64_t sent_bytes = 0;  // of a step
  int64_t received_bytes = 0;
  double waited_seconds = 0;  // of a step, for others and the network
  double hidden_seconds = 0;  // of transfers, beside which the rank computed
};

// Of each rank, on all of them; none where there is one.
std::vector<RankUse> use_of_ranks(Communicator* ranks, const MemoryUse& memory, const FittedJob& job,
                                  const Trainer::Outcome& outcome);

// A line a rank for people; empty for none. And the rows of the report.
std::string describe_ranks(const std::vector<RankUse>& ranks);
nlohmann::ordered_json rows_of(const std::vector<RankUse>& ranks);

}  // namespace headroom
