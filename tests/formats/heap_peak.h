// What a piece of a test takes from the heap at most: this program counts its allocations (heap_peak.cc).
#pragma once

#include <cstdint>

namespace headroom {

class HeapPeak {
 public:
  HeapPeak();
  // The most bytes alive at a moment since then, beyond those alive then.
  int64_t bytes() const;

 private:
  int64_t begin_;
};

}  // namespace headroom
