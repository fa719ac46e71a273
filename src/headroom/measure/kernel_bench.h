// Runs a kernel case on an arena and measures it against its limit, in turn, so that a drifting machine drifts under
// both.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "headroom/measure/kernel_case.h"

namespace headroom {

struct CaseResult {
  double seconds = 0;  // of one run: the median
  double spread = 0;   // of the runs, slowest against fastest: 0.1 is a tenth
  double rate = 0;     // flops or bytes a second
  double share = 0;    // of the limit measured beside each run: the median; 0 without a limit
  int rounds = 0;
};

class KernelBench {
 public:
  // Bytes of memory that it needs: the operands, each on a page of its own, and the scratch.
  static int64_t memory_bytes(const KernelCase& kernel_case, int threads);

  // Everything is borrowed; `memory` is aligned to 4096 bytes. Fills the operands.
  KernelBench(const KernelCase& kernel_case, const Backend& backend, std::span<std::byte> memory, Threads& threads);

  // One run that warms up, then at least five rounds: the limit, then the kernel.
  CaseResult measure(const LimitProbes& probes) const;

  void run() const;

 private:
  const KernelCase& case_;
  Kernel kernel_;
  Threads& threads_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::span<std::byte> scratch_;
};

// Of an odd or even number of values; they are reordered.
double median(std::span<double> values);

}  // namespace headroom
