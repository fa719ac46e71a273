// The machine's limits, measured once and remembered: $XDG_CACHE_HOME/headroom/machine.json, or the same under
// ~/.cache. Shares of limits and the choice of the fastest plan read it; nothing that decides a result does.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "headroom/measure/machine.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

nlohmann::ordered_json json_of(const MachineLimits& limits);

// What a profile is of: the processor, how many of it, its instruction sets.
nlohmann::ordered_json machine_key();

// Where the profile lies; empty where the environment names no place.
std::string machine_profile_path();

// The remembered limits, if they are of this machine (its processor, their number, its instruction sets), of this way
// to measure, and of `threads`. A file that is absent, stale, corrupt or not readable is none.
std::optional<MachineLimits> remembered_limits(int threads);

// Writes them atomically, beside those of other numbers of threads. A place that cannot be written is no error.
void remember_limits(const MachineLimits& limits);

// Measures in two or three seconds and remembers.
MachineLimits measure_and_remember(std::span<std::byte> memory, Threads& threads);

// Those of the threads of `workspace`: remembered, or measured in its arena, which holds nothing yet and is zeros
// again behind it; none where that is too small.
std::optional<MachineLimits> limits_for(Workspace& workspace);

}  // namespace headroom
