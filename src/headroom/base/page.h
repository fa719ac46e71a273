// The page: what memory is mapped and touched in, and what direct reads and writes of files are aligned to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headroom {

// Of offsets, sizes and memory of direct transfers; what every disk and file system of today is content with.
inline constexpr int64_t kPageBytes = 4096;

// The first byte from `memory` on that has the place in a page that `file_offset` has, so that writing it there needs
// no copy: less than a page behind `memory`.
inline std::byte* place_in_page(std::byte* memory, int64_t file_offset) {
  const int64_t address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory));
  return memory + ((file_offset - address) % kPageBytes + kPageBytes) % kPageBytes;
}

}  // namespace headroom
