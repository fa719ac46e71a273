// The arena: one piece of memory of the planned size, committed at start, so that no later step can fail for memory.
// Huge pages matter twice: memory is read faster through them, and a disk that takes a request in so many pieces reads
// larger pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "headroom/base/threads.h"

namespace headroom {

class Arena {
 public:
  // Maps `size_bytes` (zeros), on huge pages where the kernel gives them, and touches every page; all of `threads`
  // share the touching. Throws MachineFailure when the machine cannot give that much now (it is never asked for more
  // than it has: see available_memory).
  Arena(int64_t size_bytes, Threads& threads);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned to a page at least.
  std::span<std::byte> bytes() const { return {data_, static_cast<size_t>(size_bytes_)}; }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t size_bytes_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
};

}  // namespace headroom
