#include "headroom/backend/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

constexpr int64_t kHugePageBytes = 2 * kMiB;

}  // namespace

Arena::Arena(int64_t size_bytes, Threads& threads) {
  const int64_t pages_bytes = round_up(size_bytes > 0 ? size_bytes : 1, kPageBytes);
  // Address space for one huge page more, so that the arena can begin on a huge page and end exactly where it ends:
  // the kernel never rounds the last partial huge page up beyond the mapping.
  mapped_bytes_ = static_cast<size_t>(pages_bytes + kHugePageBytes);
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    throw MachineFailure("the arena of {} cannot be mapped: {}; try a smaller --memory",
                         format_bytes_exactly(size_bytes), std::strerror(errno));
  }
  const uintptr_t mapped = reinterpret_cast<uintptr_t>(mapping_);
  std::byte* data = static_cast<std::byte*>(mapping_) +
                    (static_cast<uintptr_t>(round_up(static_cast<int64_t>(mapped), kHugePageBytes)) - mapped);
  if (mprotect(data, static_cast<size_t>(pages_bytes), PROT_READ | PROT_WRITE) != 0) {
    const int error = errno;
    munmap(mapping_, mapped_bytes_);
    throw MachineFailure("the arena of {} was refused: {}; try a smaller --memory", format_bytes_exactly(size_bytes),
                         std::strerror(error));
  }
  madvise(data, static_cast<size_t>(pages_bytes), MADV_HUGEPAGE);  // denied in some containers: small pages then
  threads.split(pages_bytes, kHugePageBytes, [data](int64_t begin, int64_t end, int) {
    for (int64_t offset = begin; offset < end; offset += kPageBytes) {
      *reinterpret_cast<volatile char*>(data + offset) = 0;
    }
  });
  bytes_ = {data, static_cast<size_t>(size_bytes)};
}

Arena::~Arena() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

}  // namespace headroom
