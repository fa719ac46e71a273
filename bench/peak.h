// The limits of the machine that kernels are measured against.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom::bench {

// Flops a second of independent fused multiply-adds in registers, on all threads together, 2 flops each. `isa` is avx2
// or avx512.
double fma_peak(Isa isa, Threads& threads);

// Bytes a second that all threads together read from memory, each walking its part of 256 MiB.
double read_peak(Threads& threads);

}  // namespace headroom::bench
