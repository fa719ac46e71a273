#include "headroom/base/console.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"

namespace headroom {
namespace {

// 0, or the errno of what stopped it. Waits where the stream was made not to block by a process that shares it.
int write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd stream = {descriptor, POLLOUT, 0};
      ::poll(&stream, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

void hold_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest free number, which is this one; in the wrong direction, so that its use fails as it would have.
    ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void write_result(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE) throw ReaderGone();
  if (error != 0) {
    throw MachineFailure("standard output: the result cannot be written there: {}; try another place",
                         describe_errno(error));
  }
}

void write_note(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

}  // namespace headroom
