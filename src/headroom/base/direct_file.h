// A file read and written past the page cache (O_DIRECT): a model of any size evicts nothing and leaves nothing behind,
// and neither copying nor writing back stands between it and the disk. What the page cache holds already is read from
// there, and where the file system offers no direct access, the ordinary way is taken. The bytes are the same.
#pragma once

#include <atomic>
#include <cstdint>

#include "headroom/base/file.h"
#include "headroom/base/page.h"

namespace headroom {

class DirectFile {
 public:
  // `file` is borrowed.
  explicit DirectFile(const File& file);
  ~DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;

  // As File::read_some; offset, size and memory are multiples of kPageBytes. Threads may read at the same time.
  int64_t read_some(int64_t offset, void* data, int64_t size_bytes) const;
  // Whether reads go past the page cache.
  bool is_direct() const { return direct_.load(std::memory_order_relaxed); }

 private:
  bool is_cached(int64_t offset, int64_t size_bytes) const;

  const File& file_;
  int64_t file_bytes_ = 0;
  int descriptor_ = -1;
  mutable std::atomic<bool> direct_;
};

class DirectWriter {
 public:
  // `file` is borrowed and open for writing. What is written is on the disk after file.sync(), as ever.
  explicit DirectWriter(File& file);
  ~DirectWriter();
  DirectWriter(const DirectWriter&) = delete;
  DirectWriter& operator=(const DirectWriter&) = delete;

  // As File::write. Direct are the whole pages of a large piece whose memory and offset are equal modulo
  // kPageBytes. Threads may write at the same time.
  void write(int64_t offset, const void* data, int64_t size_bytes);

 private:
  int64_t write_pages(int64_t offset, const char* data, int64_t size_bytes);

  File& file_;
  int descriptor_ = -1;
};

}  // namespace headroom
