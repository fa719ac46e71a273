#include "headroom/base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"

namespace headroom {
namespace {

// The holder wrote its process id into the file; it is only for the message.
std::string holder_of(int descriptor) {
  std::array<char, 20> text = {};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  std::string id(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
  const bool is_number = !id.empty() && id.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? "process " + id : "another process";
}

}  // namespace

DirectoryLock::DirectoryLock(const std::string& directory) {
  const std::string path = directory + "/.lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) throw_file_error(path, "create", errno);
  int result = 0;
  do {
    result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    const int error = errno;
    const std::string holder = holder_of(descriptor_);
    ::close(descriptor_);
    if (error == EWOULDBLOCK) {
      throw InvalidInput("{}: {} is working in this directory; wait for it to end or choose another output", directory,
                         holder);
    }
    throw_file_error(path, "lock", error);
  }
  const std::string id = std::to_string(::getpid());
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, id.data(), id.size(), 0) < 0) {
    const int error = errno;
    ::close(descriptor_);
    throw_file_error(path, "write", error);
  }
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace headroom
