// One process at a time works in an output directory: an advisory lock on DIR/.lock that the kernel drops when the
// process ends, however it ends.
#pragma once

#include <string>

namespace headroom {

class DirectoryLock {
 public:
  // Takes the lock at once or throws InvalidInput that names the directory and the process that holds it. The directory
  // must exist. The file stays behind, empty of meaning, since removing it would let two processes lock two files.
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace headroom
