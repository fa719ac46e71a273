// Proves a plan sound without trusting the planner: it runs the graphs symbolically over the planned arena, knowing
// which value each byte holds, and shares no code with lifetimes and layout.
#pragma once

#include "headroom/plan/job.h"

namespace headroom {

// Throws InternalError naming the values unless, for each graph of `job` in each of its slots:
//   every value lies within the arena, or the file if it is on disk, at a multiple of the plan's alignment, which is
//   4096 at least when anything is on disk; scratch is as large as its kernel asks for;
//   the transient region holds the staging memory of files;
//   persistent values lie where their name does, apart from each other and from all that is transient;
//   what a node reads is still there when it runs; what a lane has begun to write is read after the wait for it;
//   what a lane reads or writes stays where it is until the wait, which comes;
//   what a node writes lies on nothing that is alive (results, and inputs or what they are carried as, are to the end),
//   but for an operand that dies there and whose storage the op may take (in place or reused), with the same offset and
//   size; what the op updates in place shares its offset, and so does what is carried.
// Time O(n log n), memory O(n) for n operands.
void check_plan(const Job& job, const Plan& plan);

}  // namespace headroom
