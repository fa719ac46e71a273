#include "tests/formats/heap_peak.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> alive_bytes{0};
std::atomic<int64_t> most_bytes{0};

void release(void* memory) noexcept {
  if (memory != nullptr) alive_bytes -= static_cast<int64_t>(::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

// Not inlined: GCC 12 under sanitizers sees half of a pair and warns.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  void* memory = std::malloc(size);
  if (memory == nullptr) return nullptr;
  alive_bytes += static_cast<int64_t>(::malloc_usable_size(memory));
  most_bytes = std::max(most_bytes.load(), alive_bytes.load());
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { release(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { release(memory); }

namespace headroom {

HeapPeak::HeapPeak() : begin_(alive_bytes) { most_bytes = begin_; }

int64_t HeapPeak::bytes() const { return most_bytes - begin_; }

}  // namespace headroom
