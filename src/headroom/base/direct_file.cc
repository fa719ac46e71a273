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

// cachestat(2), since Linux 6.5; the C library of Debian 12 does not know it.
constexpr long kCachestat = 451;
struct CacheRange {
  uint64_t offset;
  uint64_t length;
};
struct CacheState {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;  // pages
};

constexpr int64_t kLeastDirectWriteBytes = 64 * kKiB;

// By way of /proc, it is the same file even if its name has gone to another.
int open_direct(int descriptor, int flags) {
  const std::string name = fmt::format("/proc/self/fd/{}", descriptor);
  int direct = -1;
  do {
    direct = ::open(name.c_str(), flags | O_DIRECT | O_CLOEXEC);
  } while (direct < 0 && errno == EINTR);
  return direct;
}

}  // namespace

DirectFile::DirectFile(const File& file)
    : file_(file),
      file_bytes_(file.size_bytes()),
      descriptor_(open_direct(file.descriptor_, O_RDONLY)),
      direct_(descriptor_ >= 0) {}

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
    if (done % kPageBytes != 0) {
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
  return static_cast<int64_t>(state.cached) * kPageBytes >= inside;
}

DirectWriter::DirectWriter(File& file) : file_(file), descriptor_(open_direct(file.descriptor_, O_WRONLY)) {}

DirectWriter::~DirectWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void DirectWriter::write(int64_t offset, const void* data, int64_t size_bytes) {
  const char* bytes = static_cast<const char*>(data);
  const bool congruent = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data)) % kPageBytes == offset % kPageBytes;
  const int64_t head = round_up(offset, kPageBytes) - offset;
  const int64_t pages = (size_bytes - head) / kPageBytes * kPageBytes;
  if (descriptor_ < 0 || !congruent || pages < kLeastDirectWriteBytes) {
    file_.write(offset, data, size_bytes);
    return;
  }
  if (head > 0) file_.write(offset, bytes, head);
  const int64_t done = head + write_pages(offset + head, bytes + head, pages);
  if (done < size_bytes) file_.write(offset + done, bytes + done, size_bytes - done);
}

// What could not be written, for whatever reason, is left to the ordinary way, which knows what to say.
int64_t DirectWriter::write_pages(int64_t offset, const char* data, int64_t size_bytes) {
  int64_t done = 0;
  while (done < size_bytes && done % kPageBytes == 0) {
    const int64_t wanted = std::min(size_bytes - done, kLargestTransferBytes);
    const ssize_t put = ::pwrite(descriptor_, data + done, static_cast<size_t>(wanted), offset + done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += put;
  }
  return done;
}

}  // namespace headroom
