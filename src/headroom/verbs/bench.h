// `headroom bench`: the machine's limits, and each kernel's share of them.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/headroom.h"
#include "headroom/measure/disk_probe.h"
#include "headroom/measure/kernel_bench.h"
#include "headroom/measure/machine.h"

namespace headroom {

// Of memory, threads, report and quiet; the rest of RunOptions has nothing to say here.
struct BenchOptions : RunOptions {
  std::string filter;  // only the cases whose name contains this; empty: all
  std::string disk;    // directory whose disk is measured; empty: the temporary directory
  // Called as figures come, if set.
  std::function<void(const MachineLimits&, Isa isa, int threads)> on_limits;
  std::function<void(const DiskRates&)> on_disk;
  std::function<void(const KernelCase&, const CaseResult&)> on_case;
};

// The limits, and what each op takes (verbs/machine_rates.h), measured now on memory of their own and remembered.
// `disk`: a directory whose disk is measured too, or a file that reading is measured of; empty: none.
MachineLimits measure_machine(int threads, const std::string& disk);

// Measures, and returns all of it as one object: machine, limits, cases. Under HEADROOM_ISA=reference the kernels,
// which are written to be read, run only where a filter asks for them. Throws InvalidInput where no case has the filter
// in its name, BudgetExceeded where the operands of a case do not fit options.memory.
nlohmann::ordered_json bench_kernels(const BenchOptions& options);

}  // namespace headroom
