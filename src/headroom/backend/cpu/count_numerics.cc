// Counts of unusual numbers (ops/count_numerics.h), from their bits: the sign apart, zero, subnormals, normal numbers,
// infinity and NaN follow each other. Whole numbers are added, so threads may come in any order.
#include <atomic>

#include "headroom/backend/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The bits of the smallest normal number and of infinity.
template <class Bits>
struct Borders {
  Bits normal;
  Bits infinity;
};

struct Counts {
  int64_t of[4] = {};
};

// In runs of a fixed length, whose counts fit 32 bits, so that the compiler makes vectors of them.
template <class Bits>
Counts count(const Bits* x, int64_t elements, Borders<Bits> borders) {
  constexpr int64_t kRun = 4096;
  constexpr Bits kWithoutSign = static_cast<Bits>(~Bits{0}) >> 1;
  Counts counts;
  for (int64_t begin = 0; begin < elements; begin += kRun) {
    const int64_t end = begin + kRun < elements ? begin + kRun : elements;
    uint32_t nans = 0, infinities = 0, below = 0, zeros = 0;
    for (int64_t i = begin; i < end; ++i) {
      const Bits bits = static_cast<Bits>(x[i] & kWithoutSign);
      nans += bits > borders.infinity ? 1u : 0u;
      infinities += bits == borders.infinity ? 1u : 0u;
      below += bits < borders.normal ? 1u : 0u;
      zeros += bits == 0 ? 1u : 0u;
    }
    counts.of[0] += nans;
    counts.of[1] += infinities;
    counts.of[2] += below - zeros;
    counts.of[3] += zeros;
  }
  return counts;
}

template <class Bits>
void count_in_threads(const Invocation& call, Borders<Bits> borders) {
  const Bits* x = call.inputs[0].as<const Bits>();
  const int64_t elements = call.inputs[0].elements();
  std::atomic<int64_t> totals[4] = {};
  call.threads.split(elements, 65536, [&](int64_t begin, int64_t end, int) {
    const Counts part = count(x + begin, end - begin, borders);
    for (int i = 0; i < 4; ++i) totals[i].fetch_add(part.of[i], std::memory_order_relaxed);
  });
  double* counts = call.outputs[0].as<double>();
  const bool adds = call.inputs.size() == 2;
  for (int i = 0; i < 4; ++i) counts[i] = (adds ? counts[i] : 0) + static_cast<double>(totals[i].load());
  counts[4] = (adds ? counts[4] : 0) + static_cast<double>(elements);
}

}  // namespace

void count_numerics(const Invocation& call) {
  switch (call.inputs[0].type.dtype) {
    case DType::bf16: return count_in_threads<uint16_t>(call, {0x0080, 0x7f80});
    case DType::f16: return count_in_threads<uint16_t>(call, {0x0400, 0x7c00});
    default: return count_in_threads<uint32_t>(call, {0x0080'0000, 0x7f80'0000});
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(count_numerics);
