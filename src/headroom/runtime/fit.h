// Fits a job into a budget: plans the ways it can run, fastest first, and takes the first that the budget holds.
// Pricing a way is planning it: nothing is allocated and no weight is read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "headroom/plan/job.h"
#include "headroom/runtime/budget.h"

namespace headroom {

// One way to run a job.
struct Candidate {
  std::string choice;  // "nothing is recomputed": for the plan's table
  std::function<std::vector<Graph>()> build;
  int64_t staging_bytes = 0;  // for files, beyond what reading the graphs' weights takes
};

struct FittedJob {
  std::string choice;
  size_t candidate = 0;  // that was taken
  std::vector<Graph> graphs;
  Plan plan;
  int64_t reserve_bytes = 0;
  int64_t predicted_peak_bytes = 0;  // arena + reserve
  Budget budget;
};

// `candidates` are ordered from fastest to leanest. `reserve` needs no graph_nodes and arena_bytes; those follow from
// the plan, as do reading_threads. Throws BudgetExceeded, naming the smallest budget that works and the five largest
// values at its peak, when none fits. Whether the machine can give that much is asked by who runs the job
// (check_machine), not by who plans it.
FittedJob fit_job(const std::vector<Candidate>& candidates, const Budget& budget, ReserveInputs reserve);

}  // namespace headroom
