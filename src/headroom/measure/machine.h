// The machine that a measurement speaks of, and its limits.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "headroom/backend/isa.h"
#include "headroom/measure/limit_probes.h"

namespace headroom {

// "AMD EPYC 9654 96-Core Processor", as the processor calls itself.
std::string processor_name();

struct FmaPeak {
  Isa isa = Isa::reference;
  int threads = 1;
  double flops_per_second = 0;
};

// Of memory, for one number of threads; copies and updates count what is read and what is written.
struct MemoryRates {
  int threads = 1;
  double read_bytes_per_second = 0;
  double copy_bytes_per_second = 0;
  double stream_bytes_per_second = 0;
  double update_bytes_per_second = 0;
};

struct MachineLimits {
  std::vector<FmaPeak>
      fma;  // of every vector instruction set that the machine runs (the scalar one where it runs none)
  std::vector<MemoryRates> memory;

  double fma_flops_per_second(Isa isa, int threads) const;  // 0 where it was not measured
  double fma_flops_per_second(const Backend& backend, int threads) const;
};

// A line for each limit, for people.
std::string describe(const MachineLimits& limits);

// Each the median of `rounds` rounds over all limits, on one thread and on `threads`, after a round that warms up.
// `memory` is borrowed: LimitProbes::kMemoryBytes; its content is lost.
MachineLimits measure_limits(std::span<std::byte> memory, Threads& threads, int rounds);

}  // namespace headroom
