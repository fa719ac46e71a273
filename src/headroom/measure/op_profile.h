// What ops took on this machine, measured once and remembered beside the machine's limits (measure/machine_profile.h):
// $XDG_CACHE_HOME/headroom/ops-avx2-2.json, a file for each instruction set and number of threads. The choice among
// plans and the predicted time of a step read it; no result does.
#pragma once

#include <optional>

#include "headroom/backend/backend.h"
#include "headroom/plan/cost_model.h"

namespace headroom {

// What is remembered of this machine for `threads`, or typical rates.
MachineRates known_rates(const Backend& backend, int threads);

// What is remembered. A file that is absent, stale, of another machine or corrupt is none.
std::optional<MachineRates> remembered_rates(const Backend& backend, int threads);

// Where the processor multiplies pairs of bf16: twice as many.
void add_bf16(MachineRates& rates, const Backend& backend);

// Writes it atomically. A place that cannot be written is no error.
void remember_rates(const MachineRates& rates, const Backend& backend, int threads);

}  // namespace headroom
