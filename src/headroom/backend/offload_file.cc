#include "headroom/backend/offload_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

constexpr mode_t kMode = 0600;

// A new file without a name, or -1 and errno.
int open_nameless(const std::string& directory, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(directory.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC | flags, kMode);
  } while (descriptor < 0 && errno == EINTR);
  // File systems that cannot make one: one whose name goes at once.
  if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    std::string name = directory + "/headroom-offload-XXXXXX";
    descriptor = ::mkostemp(name.data(), O_CLOEXEC | flags);
    if (descriptor >= 0) ::unlink(name.c_str());
  }
  return descriptor;
}

}  // namespace

void throw_offload_error(const std::string& directory, const char* verb, int error) {
  throw MachineFailure(
      "--disk {}: cannot {} what is kept there: {}; {}start again (training with --resume: its checkpoints are whole)",
      directory, verb, describe_errno(error), error == ENOSPC ? "free some space and " : "");
}

OffloadSink sink_into(OffloadFile& file, int64_t offset) {
  return [&file, offset](int64_t first_byte, const std::byte* data, int64_t size_bytes) {
    file.write(offset + first_byte, data, round_up(size_bytes, kPageBytes));
  };
}

OffloadFile::OffloadFile(const std::string& directory, int64_t size_bytes)
    : directory_(directory), size_bytes_(size_bytes) {
  create_directories(directory);
  descriptor_ = open_nameless(directory, O_DIRECT);
  direct_ = descriptor_ >= 0;
  if (descriptor_ < 0 && errno == EINVAL) descriptor_ = open_nameless(directory, 0);
  if (descriptor_ < 0) throw_file_error(directory, "make a file in", errno);
  int result = 0;
  do {
    result = size_bytes > 0 ? ::fallocate(descriptor_, 0, 0, size_bytes) : 0;
  } while (result != 0 && errno == EINTR);
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {  // then what is free now must do
    const int64_t free = free_disk_bytes(directory);
    result = free < size_bytes ? -1 : ::ftruncate(descriptor_, size_bytes);
    if (free < size_bytes) errno = ENOSPC;
  }
  if (result == 0) return;
  const int error = errno;
  ::close(descriptor_);
  throw MachineFailure("--disk {}: no room for the {} that leave the memory: {}, {} are free; try another --disk",
                       directory, format_bytes_exactly(size_bytes), describe_errno(error),
                       format_bytes(free_disk_bytes(directory)));
}

OffloadFile::~OffloadFile() { ::close(descriptor_); }

void OffloadFile::read(int64_t offset, std::byte* data, int64_t size_bytes) const {
  for (int64_t done = 0; done < size_bytes;) {
    const ssize_t got = ::pread(descriptor_, data + done, static_cast<size_t>(size_bytes - done), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw_offload_error(directory_, "read", got == 0 ? ENODATA : errno);
    done += got;
  }
}

void OffloadFile::write(int64_t offset, const std::byte* data, int64_t size_bytes) {
  for (int64_t done = 0; done < size_bytes;) {
    const ssize_t put = ::pwrite(descriptor_, data + done, static_cast<size_t>(size_bytes - done), offset + done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw_offload_error(directory_, "write", put == 0 ? ENOSPC : errno);
    done += put;
  }
}

void OffloadFile::for_each_piece(int64_t offset, int64_t size_bytes, std::span<std::byte> memory,
                                 const Piece& piece) const {
  const int64_t most = static_cast<int64_t>(memory.size()) / kPageBytes * kPageBytes;
  ensure(most > 0, "{} bytes of memory for pieces", memory.size());
  for (int64_t done = 0; done < size_bytes; done += most) {
    const int64_t wanted = std::min(most, size_bytes - done);
    read(offset + done, memory.data(), round_up(wanted, kPageBytes));
    piece(done, memory.first(static_cast<size_t>(wanted)));
  }
}

}  // namespace headroom
