#include "headroom/runtime/memory_claims.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

namespace headroom {
namespace {

// As it lies in the file. An entry without a lock is one of a run that has ended.
struct Entry {
  int64_t process;
  int64_t peak_bytes;
};
constexpr int64_t kEntryBytes = sizeof(Entry);
constexpr int64_t kEntries = 256;
constexpr int64_t kTurnOffset = kEntries * kEntryBytes;  // the byte that a turn locks
constexpr std::chrono::seconds kLongestWait{10};
constexpr std::chrono::milliseconds kPause{5};

// Locks belong to the open file, not to the process: closing another descriptor of the ledger drops none.
struct flock range(short type, int64_t offset, int64_t size) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = size;
  return lock;
}

bool set_lock(int descriptor, short type, int64_t offset, int64_t size) {
  struct flock lock = range(type, offset, size);
  return ::fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
}

bool is_locked_by_another(int descriptor, int64_t offset, int64_t size) {
  struct flock lock = range(F_WRLCK, offset, size);
  return ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

std::string MemoryClaims::default_path() {
  struct stat namespace_of_processes = {};
  if (::stat("/proc/self/ns/pid", &namespace_of_processes) != 0) namespace_of_processes.st_ino = 0;
  return fmt::format("/dev/shm/headroom-{}-{}", ::geteuid(), namespace_of_processes.st_ino);
}

// A file of this user's alone, and no link: in a directory that all may write to, another may have made the name.
MemoryClaims::MemoryClaims(const std::string& path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (descriptor_ < 0) return;
  struct stat file = {};
  if (::fstat(descriptor_, &file) == 0 && S_ISREG(file.st_mode) && file.st_uid == ::geteuid()) return;
  ::close(descriptor_);
  descriptor_ = -1;
}

MemoryClaims::~MemoryClaims() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::vector<MemoryClaim> MemoryClaims::of_others() const {
  std::vector<MemoryClaim> claims;
  if (descriptor_ < 0) return claims;
  std::array<Entry, kEntries> entries;
  const ssize_t got = ::pread(descriptor_, entries.data(), sizeof entries, 0);
  for (int64_t i = 0; i < got / kEntryBytes; ++i) {
    const Entry& entry = entries[static_cast<size_t>(i)];
    if (entry.peak_bytes <= 0 || !is_locked_by_another(descriptor_, i * kEntryBytes, kEntryBytes)) continue;
    claims.push_back({entry.process, std::max<int64_t>(entry.peak_bytes - resident_bytes_of(entry.process), 0)});
  }
  return claims;
}

void MemoryClaims::claim(int64_t peak_bytes) {
  if (descriptor_ < 0) return;
  const Entry entry = {::getpid(), peak_bytes};
  for (int64_t i = 0; i < kEntries; ++i) {
    if (!set_lock(descriptor_, F_WRLCK, i * kEntryBytes, kEntryBytes)) continue;
    if (::pwrite(descriptor_, &entry, sizeof entry, i * kEntryBytes) == kEntryBytes) return;
    set_lock(descriptor_, F_UNLCK, i * kEntryBytes, kEntryBytes);
    return;
  }
}

MemoryClaims::Turn::Turn(const MemoryClaims& claims) : claims_(claims) {
  const auto end = std::chrono::steady_clock::now() + kLongestWait;
  while (!set_lock(claims_.descriptor_, F_WRLCK, kTurnOffset, 1) && (errno == EAGAIN || errno == EACCES) &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
  }
}

MemoryClaims::Turn::~Turn() { set_lock(claims_.descriptor_, F_UNLCK, kTurnOffset, 1); }

}  // namespace headroom
