// The plan in words: the table that is printed before anything large is allocated, the same as JSON, and the sentence
// that a refusal ends with.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/plan/job.h"

namespace headroom {

// What a plan is held against: the process needs `reserve_bytes` outside the arena.
struct ProcessBudget {
  int64_t reserve_bytes = 0;
  int64_t budget_bytes = 0;  // 0: none was set
};

inline int64_t predicted_peak_bytes(const Plan& plan, const ProcessBudget& budget) {
  return plan.arena_bytes + budget.reserve_bytes;
}

// Bytes by role at the peak, the gaps that the layout leaves, arena, reserve, predicted peak and budget: every line
// adds up to the next total. Then what is on disk and moves to and from there each time a graph runs, and the five
// largest values at the peak. Ends with a newline.
std::string plan_table(const Plan& plan, const ProcessBudget& budget);

// The keys of --report (budget_bytes, predicted_peak_bytes, arena_bytes, reserve_bytes) and of `plan --json`:
// persistent_bytes, transient_bytes, lower_bound_bytes, disk_bytes, threads, peak{graph, node, where, bytes_by_role{},
// largest[]}, graphs[]{name, nodes, transient_bytes, lower_bound_bytes, disk_read_bytes, disk_written_bytes}.
// budget_bytes is absent where none was set.
nlohmann::ordered_json plan_json(const Plan& plan, const ProcessBudget& budget);

// "Largest at the peak, in the update of lm_head (adamw): lm_head.m (optimizer state) 1.56 GiB, ...".
std::string largest_at_peak(const Plan& plan, size_t count = 5);

// "weights 1.20 GiB, gradients 12.00 MiB, ...": the roles at the peak, and what the layout leaves unused.
std::string breakdown(const Plan& plan);

// "optimizer state": a role's name for people.
std::string words_of(Role role);

}  // namespace headroom
