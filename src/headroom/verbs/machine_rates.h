// The rates of this machine for the cost model (plan/cost_model.h): small training steps of several shapes, and steps
// of generation with weights of several formats, are run, and what each op took on operands of each size is remembered
// (measure/op_profile.h).
#pragma once

#include <string>

#include "headroom/backend/backend.h"
#include "headroom/measure/machine.h"
#include "headroom/plan/cost_model.h"

namespace headroom {

// Runs the steps, for about ten seconds in at most 400 MiB, and remembers what they took. `limits` has those of
// `threads`. `disk`: a directory whose disk is measured too, or a file that reading is measured of; empty: none.
MachineRates measure_rates(const MachineLimits& limits, const Backend& backend, int threads, const std::string& disk);

}  // namespace headroom
