// KV caches that are larger than their memory: those of some layers live in a file of --disk. Before a layer's
// attention the rows that are filled are read, ahead of their use, and behind it those that the step wrote are written.
// What a step computes is the same.
#pragma once

#include <optional>
#include <vector>

#include "headroom/runtime/fit.h"

namespace headroom {

// The ways with the caches of all layers on the disk, where that is not more memory than having them there: for jobs
// whose weights leave the memory, too. Nothing is moved ahead of its use yet (passes/prefetch.h). `ways` are borrowed.
std::vector<Candidate> spill_all(const std::vector<Candidate>& ways);

// The first of `ways` that the budget holds with the caches of as few layers as possible on the disk; nothing where
// none does. `least_bytes` becomes the smallest budget that works, if that is smaller.
std::optional<FittedJob> fit_spilled(const std::vector<Candidate>& ways, const Budget& budget,
                                     const ReserveInputs& reserve, int64_t& least_bytes);

// The leanest of them, planned.
FittedJob leanest_spilled(const std::vector<Candidate>& ways, const Budget& budget, const ReserveInputs& reserve);

}  // namespace headroom
