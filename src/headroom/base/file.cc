#include "headroom/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr mode_t kNewFileMode = 0666;  // less the user's umask

int open_retrying(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, kNewFileMode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool user_can_mend(int error) {
  switch (error) {
    case ENOENT:
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ELOOP:
    case ENAMETOOLONG: return true;
    default: return false;
  }
}

bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

// A FIFO would block in open() and a device has no size: look before opening.
void require_regular(const std::string& path, const char* verb) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) throw_file_error(path, verb, errno);
  if (S_ISDIR(status.st_mode)) throw InvalidInput("{}: is a directory; expected a file", path);
  if (!S_ISREG(status.st_mode)) throw InvalidInput("{}: is not a regular file; expected a file on a disk", path);
}

}  // namespace

void throw_file_error(const std::string& path, const std::string& verb, int error) {
  const std::string text = describe_errno(error);
  if (user_can_mend(error)) throw InvalidInput("{}: cannot {} it: {}", path, verb, text);
  throw MachineFailure("{}: cannot {} it: {}", path, verb, text);
}

std::string describe_errno(int error) { return std::generic_category().message(error); }

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

// Errors of close() are those of writing, which sync() has reported for every file that must last.
File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File File::open(const std::string& path) {
  require_regular(path, "read");
  const int descriptor = open_retrying(path, O_RDONLY);
  if (descriptor < 0) throw_file_error(path, "read", errno);
  return File(path, descriptor);
}

File File::open_to_update(const std::string& path) {
  require_regular(path, "write");
  const int descriptor = open_retrying(path, O_RDWR);
  if (descriptor < 0) throw_file_error(path, "write", errno);
  return File(path, descriptor);
}

File File::create(const std::string& path) {
  const int descriptor = open_retrying(path, O_RDWR | O_CREAT | O_EXCL);
  if (descriptor < 0) throw_file_error(path, "create", errno);
  return File(path, descriptor);
}

int64_t File::size_bytes() const {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) throw_file_error(path_, "look at", errno);
  return status.st_size;
}

int64_t File::read_some(int64_t offset, void* data, int64_t size_bytes) const {
  int64_t done = 0;
  while (done < size_bytes) {
    const int64_t wanted = std::min(size_bytes - done, kLargestTransferBytes);
    const ssize_t got =
        ::pread(descriptor_, static_cast<char*>(data) + done, static_cast<size_t>(wanted), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_file_error(path_, "read", errno);
    if (got == 0) break;
    done += got;
  }
  return done;
}

void File::read(int64_t offset, void* data, int64_t size_bytes) const {
  const int64_t got = read_some(offset, data, size_bytes);
  if (got != size_bytes) {
    throw InvalidInput("{}: the file is truncated; expected {} bytes at offset {}, got {}", path_, size_bytes, offset,
                       got);
  }
}

void File::throw_full(int64_t offset, int64_t size_bytes, int error) const {
  throw MachineFailure(
      "{}: cannot write {} more bytes after {}: {}; {} are free there; free some space or choose another disk", path_,
      format_count(size_bytes), format_count(offset), describe_errno(error), format_bytes(free_disk_bytes(path_)));
}

void File::write(int64_t offset, const void* data, int64_t size_bytes) {
  int64_t done = 0;
  while (done < size_bytes) {
    const int64_t wanted = std::min(size_bytes - done, kLargestTransferBytes);
    const ssize_t put =
        ::pwrite(descriptor_, static_cast<const char*>(data) + done, static_cast<size_t>(wanted), offset + done);
    if (put > 0) {
      done += put;
      continue;
    }
    const int error = put == 0 ? ENOSPC : errno;
    if (error == EINTR) continue;
    if (is_full(error)) throw_full(offset + done, size_bytes - done, error);
    throw_file_error(path_, "write", error);
  }
}

void File::reserve(int64_t size_bytes) {
  int result = 0;
  do {
    result = size_bytes > 0 ? ::fallocate(descriptor_, 0, 0, size_bytes) : 0;
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return;
  if (is_full(errno)) throw_full(0, size_bytes, errno);
  throw_file_error(path_, "write", errno);
}

void File::truncate(int64_t size_bytes) {
  int result = 0;
  do {
    result = ::ftruncate(descriptor_, size_bytes);
  } while (result != 0 && errno == EINTR);
  if (result != 0) throw_file_error(path_, "change the size of", errno);
}

void File::sync() {
  if (::fsync(descriptor_) != 0) throw_file_error(path_, "bring to disk", errno);
}

void sync_directory(const std::string& directory) {
  const int descriptor = open_retrying(directory, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) throw_file_error(directory, "open", errno);
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  // EINVAL: a file system whose directories have nothing to sync.
  if (error != 0 && error != EINVAL) throw_file_error(directory, "bring to disk", error);
}

void create_directories(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && !std::filesystem::is_directory(directory, error))
    error = std::make_error_code(std::errc::not_a_directory);
  if (error) throw_file_error(directory, "create", error.value());
}

int64_t free_disk_bytes(const std::string& path) {
  std::filesystem::path place = std::filesystem::path(path).lexically_normal();
  struct statvfs status = {};
  while (::statvfs(place.empty() ? "." : place.c_str(), &status) != 0) {
    const bool can_climb = (errno == ENOENT || errno == ENOTDIR) && !place.empty() && place != place.parent_path();
    if (!can_climb) throw_file_error(path, "ask for free space at", errno);
    place = place.parent_path();
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(status.f_bavail, status.f_frsize, &bytes)) return INT64_MAX;
  return bytes;
}

void require_disk_space(const std::string& path, int64_t needed_bytes, const std::string& what) {
  const int64_t free_bytes = free_disk_bytes(path);
  if (free_bytes >= needed_bytes) return;
  throw MachineFailure("{}: {} needs {}, {} are free; free some space or choose another disk", path, what,
                       format_bytes_exactly(needed_bytes), format_bytes_exactly(free_bytes));
}

}  // namespace headroom
