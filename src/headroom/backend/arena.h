// The CPU's memory: one piece of the planned size, committed at start, so that no later step can fail for memory.
// Huge pages matter twice: memory is read faster through them, and a disk that takes a request in so many pieces reads
// larger pieces.
#pragma once

#include <cstdint>

#include "headroom/backend/backend.h"

namespace headroom {

class Arena final : public DeviceMemory {
 public:
  // Maps `size_bytes`, on huge pages where the kernel gives them, and touches every page; throws as
  // Backend::commit_memory.
  Arena(int64_t size_bytes, Threads& threads);
  ~Arena() override;

 private:
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
};

}  // namespace headroom
