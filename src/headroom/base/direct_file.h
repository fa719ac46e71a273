// A file read past the page cache (O_DIRECT), so that a model of any size evicts nothing and leaves nothing behind.
// What the page cache holds already is taken from there, and where the file system offers no direct reads, all is. The
// bytes are the same.
#pragma once

#include <atomic>
#include <cstdint>

#include "headroom/base/file.h"

namespace headroom {

class DirectFile {
 public:
  // Of offsets, sizes and memory; what every disk and file system of today is content with.
  static constexpr int64_t kAlignmentBytes = 4096;

  // `file` is borrowed.
  explicit DirectFile(const File& file);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  // As File::read_some; offset, size and memory are multiples of kAlignmentBytes. Threads may read at the same time.
  int64_t read_some(int64_t offset, void* data, int64_t size_bytes) const;
  // Whether reads go past the page cache.
  bool is_direct() const { return direct_.load(std::memory_order_relaxed); }

 private:
  bool is_cached(int64_t offset, int64_t size_bytes) const;

  const File& file_;
  int64_t file_bytes_ = 0;
  int descriptor_ = -1;
  mutable std::atomic<bool> direct_ = false;
};

}  // namespace headroom
