// Proves that the rows of a job's schedules find what they read, from the graphs alone.
#pragma once

#include "headroom/plan/job.h"

namespace headroom {

// Throws InternalError naming schedule, graph and value unless, in each schedule of `job`:
//   rows name graphs, results, slots and graph inputs that there are, and blocks before their own;
//   what a graph reads of its inputs (Op::reads_input) was written there, in the row's slot, by an earlier row that
//   carried it, or by the host: filled by this row or an earlier one, or given. Weights, the optimizer's state and KV
//   caches are there from one schedule to the next; gradients and activations are not.
// An input that is written range by range counts as written with its first range.
void check_schedules(const Job& job);

}  // namespace headroom
