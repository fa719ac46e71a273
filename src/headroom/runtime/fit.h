// Fits a job into a budget: plans the ways it can run, fastest first, and takes the first that the budget holds.
// Pricing a way is planning it: nothing is allocated and no weight is read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "headroom/plan/job.h"
#include "headroom/runtime/budget.h"

namespace headroom {

// One way to run a job.
struct Candidate {
  std::string choice;          // "nothing is recomputed": for the plan's table
  std::function<Job()> build;  // graphs and schedules
  int64_t staging_bytes = 0;   // for files, beyond what reading the graphs' weights takes
  double sweeps = 1;           // how often the job goes through the weights, about
};

// A technique that was chosen, or forced, for a job.
struct ChosenTechnique {
  std::string name;         // "micro-batches"
  std::string choice;       // "4 micro-batches"; empty: it is not used
  int64_t saved_bytes = 0;  // against its fastest level, with all others as they are
  double seconds = 0;       // that it costs a step against that, as predicted
  bool forced = false;      // by a flag
};

struct FittedJob : Job {
  std::string choice;
  size_t candidate = 0;  // that was taken
  Plan plan;
  int64_t reserve_bytes = 0;
  int64_t predicted_peak_bytes = 0;  // arena + reserve
  Budget budget;
  std::shared_ptr<const MemoryClaims> claims;  // of a job that is run: what it will hold, claimed
  double step_seconds = 0;                     // predicted; 0: nothing is said about it
  double compute_seconds = 0;                  // of it, for one of several ranks: of the computation alone
  double exchange_seconds = 0;                 // and of what ranks exchange, one after the other
  std::string rates;                           // whose rates that is by, in words
  std::vector<ChosenTechnique> techniques;
  std::string forecast;  // lines about what else is predicted, for the plan's table; empty: none
};

// Plans `candidate`, whatever the budget. `reserve` as below.
FittedJob plan_candidate(const Candidate& candidate, const Budget& budget, ReserveInputs reserve);

// The first of `candidates` that the budget holds, planned; or nothing, and the leanest of them and what it takes.
struct FirstFit {
  std::optional<FittedJob> job;
  size_t leanest = 0;
  int64_t least_bytes = 0;
};
FirstFit find_first_fit(const std::vector<Candidate>& candidates, const Budget& budget, const ReserveInputs& reserve);

// The predicted peak that no plan of the job's graphs can be below, found without laying them out.
int64_t least_peak_bytes(const Job& job, int64_t staging_bytes, ReserveInputs reserve);

// Throws BudgetExceeded, naming what `leanest` needs as the smallest budget, where that goes, and the five largest
// values at its peak. `advice`: lines that follow, each begun by a newline.
[[noreturn]] void refuse(const FittedJob& leanest, const std::string& advice = "");

// `candidates` are ordered from fastest to leanest. `reserve` needs no nodes and arena_bytes; those follow from
// the plan, as do reading_threads. Throws BudgetExceeded, naming the smallest budget that works and the five largest
// values at its peak, when none fits. Whether the machine can give that much is asked by who runs the job
// (check_machine), not by who plans it.
FittedJob fit_job(const std::vector<Candidate>& candidates, const Budget& budget, ReserveInputs reserve);

// Claims the memory of the job that `fit` fits, until that job goes. Where another run has claimed some of it since
// `fit` looked at the machine, an automatic budget is looked for once more. Throws as fit and check_machine do.
FittedJob fit_and_claim(const std::function<FittedJob()>& fit);

// Throws BudgetExceeded where the plan keeps more on disk than `limit` says, the size of --disk-limit; empty: none.
void check_disk_limit(const Plan& plan, const std::string& limit);

// The last look before the arena is committed, which may be long after the first. Throws MachineFailure when the
// process already holds more than its reserve, and BudgetExceeded when of an automatic budget something is missing by
// now.
void check_commit(const FittedJob& job);

}  // namespace headroom
