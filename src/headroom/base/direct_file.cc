#include "headroom/base/direct_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

constexpr int64_t kLargestTransferBytes = int64_t{1} << 30;

// cachestat(2), since Linux 6.5; the C library of Debian 12 does not know it.
constexpr long kCachestat = 451;
struct CacheRange {
  uint64_t offset;
  uint64_t length;
};
struct CacheState {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;  // pages
};

}  // namespace

// By way of /proc, it is the same file even if its name has gone to another.
DirectFile::DirectFile(const File& file) : file_(file), file_bytes_(file.size_bytes()) {
  const std::string name = fmt::format("/proc/self/fd/{}", file.descriptor_);
  do {
    descriptor_ = ::open(name.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  } while (descriptor_ < 0 && errno == EINTR);
  direct_ = descriptor_ >= 0;
}

DirectFile::~DirectFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int64_t DirectFile::read_some(int64_t offset, void* data, int64_t size_bytes) const {
  if (!is_direct() || is_cached(offset, size_bytes)) return file_.read_some(offset, data, size_bytes);
  int64_t done = 0;
  while (done < size_bytes && offset + done < file_bytes_) {
    const int64_t wanted = std::min(size_bytes - done, kLargestTransferBytes);
    const ssize_t got =
        ::pread(descriptor_, static_cast<char*>(data) + done, static_cast<size_t>(wanted), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EINVAL) {  // it opens, but wants another alignment
      direct_ = false;
      return file_.read_some(offset, data, size_bytes);
    }
    if (got < 0) throw_file_error(file_.path(), "read", errno);
    if (got == 0) break;
    done += got;
    // Cut short within an aligned block: the rest by the ordinary way.
    if (done % kAlignmentBytes != 0) {
      return done + file_.read_some(offset + done, static_cast<char*>(data) + done, size_bytes - done);
    }
  }
  return done;
}

bool DirectFile::is_cached(int64_t offset, int64_t size_bytes) const {
  const int64_t inside = std::min(size_bytes, file_bytes_ - offset);
  if (inside <= 0) return true;
  CacheRange range = {static_cast<uint64_t>(offset), static_cast<uint64_t>(inside)};
  CacheState state = {};
  if (::syscall(kCachestat, file_.descriptor_, &range, &state, 0u) != 0) return false;
  return static_cast<int64_t>(state.cached) * kAlignmentBytes >= inside;
}

}  // namespace headroom
