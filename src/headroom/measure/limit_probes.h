// The machine's limits, one measurement at a time: so that a kernel and its limit can be measured in turn, and a
// machine that drifts (clock, neighbours) drifts under both.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "headroom/backend/isa.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// What bounds a kernel:
//   fma     fused multiply-adds of f32 in registers, two flops each
//   int8    likewise of bytes with sums of 32 bits, by the vectors' instructions
//   read    bytes read from memory
//   copy    bytes read and written by memcpy, both counted
//   stream  likewise, written past the cache (non-temporal stores): what a kernel that uses them may reach
//   update  bytes read and written back where they lie, both counted: for kernels that work in place
//   none    no share: a kernel that takes no time, or one that is memset
enum class Limit : uint8_t { fma, int8, read, copy, stream, update, none };
std::string_view name_of(Limit limit);
// Whether it counts flops, in registers; the others count bytes of memory.
constexpr bool counts_flops(Limit limit) { return limit == Limit::fma || limit == Limit::int8; }

class LimitProbes {
 public:
  // What measurements of memory walk over: beyond every cache of the machines that headroom knows.
  static constexpr int64_t kMemoryBytes = int64_t{256} * 1024 * 1024;

  // `memory` is borrowed: kMemoryBytes, aligned to 64 bytes; copying and updating lose its content. So are `backend`
  // and `threads`.
  LimitProbes(const Backend& backend, std::span<std::byte> memory, Threads& threads);

  // One measurement on all threads together, some ten milliseconds: flops a second (two for each fused multiply-add) or
  // bytes a second. `limit` is not none.
  double measure(Limit limit) const;

 private:
  template <class Work>
  double seconds_of(int64_t size_bytes, Work&& work) const;

  const Backend& backend_;
  std::span<std::byte> memory_;
  Threads& threads_;
};

// Flops a second of independent fused multiply-adds of f32 in registers, on all threads together; scalar ones for
// `reference`. One measurement.
double fma_rate(Isa isa, Threads& threads);

// Bytes a second of reading a job's arena, whatever lies there; 0 where that is too small. One measurement.
double read_rate(Workspace& workspace);

}  // namespace headroom
