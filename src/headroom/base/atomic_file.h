// Outputs that appear whole or not at all: written under a temporary name beside the target, synced, renamed, and the
// directory synced. A run that is killed leaves the old file and, at worst, a leftover with kTemporarySuffix.
#pragma once

#include <string>
#include <string_view>

#include "headroom/base/file.h"

namespace headroom {

inline constexpr std::string_view kTemporarySuffix = ".headroom-tmp";

class AtomicFile {
 public:
  // Creates PATH + kTemporarySuffix, in place of a leftover of that name. `path` may exist as a regular file, which
  // stays readable until commit(). One writer a path: the directory's lock or the user sees to it.
  explicit AtomicFile(std::string path);
  // Removes the temporary file unless commit() has returned.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  File& file() { return file_; }
  const std::string& path() const { return path_; }
  // Once. The file is durable under its name when it returns.
  void commit();

 private:
  std::string path_;
  File file_;
  bool committed_ = false;
};

// The same for a directory: files are written inside temporary_path() (each synced by its writer).
class AtomicDirectory {
 public:
  // Throws InvalidInput if `path` exists and is not an empty directory. A leftover of an earlier run is removed.
  explicit AtomicDirectory(std::string path);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  const std::string& temporary_path() const { return temporary_path_; }
  void commit();

 private:
  std::string path_;
  std::string temporary_path_;
  bool committed_ = false;
};

// Writes `text` as the whole content of `path`, atomically.
void write_file_atomically(const std::string& path, std::string_view text);

// Removes `path`, with everything inside if it is a directory. Nothing happens where nothing is.
void remove_tree(const std::string& path);

// Removes the entries of `directory` that end in kTemporarySuffix. Call it holding the directory's lock.
void remove_leftovers(const std::string& directory);

}  // namespace headroom
