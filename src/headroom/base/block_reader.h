// Reads ranges of files in large blocks by several threads at a time, because a disk gives its full rate only to a few
// large requests at once. Nothing is mapped, and nothing goes through the page cache where that can be avoided
// (direct_file.h): blocks come into the caller's staging memory, and a sink takes what it wants from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "headroom/base/file.h"
#include "headroom/base/page.h"
#include "headroom/base/threads.h"

namespace headroom {

// Bytes that are wanted of a file. They are handed over in whole units: elements, rows, blocks of quantised values.
struct ReadRange {
  const File* file = nullptr;  // borrowed
  int64_t offset_bytes = 0;    // in the file; any
  int64_t size_bytes = 0;      // a multiple of unit_bytes
  int64_t unit_bytes = 1;      // at most BlockReader::kLargestUnitBytes
};

// A part of a range, in staging memory.
struct ReadPiece {
  size_t range = 0;            // index into the ranges
  int64_t offset_bytes = 0;    // from the range's begin; a multiple of its unit
  std::span<std::byte> bytes;  // whole units, of no alignment; the sink's to use and to overwrite until it returns
  int thread = 0;              // that calls the sink; below thread_count()
};

class BlockReader {
 public:
  static constexpr int64_t kLeastStagingBytes = 128 * 1024;
  static constexpr int64_t kMostStagingBytes = 64 * 1024 * 1024 + kPageBytes;  // more is not used
  static constexpr int64_t kLargestUnitBytes = 64 * 1024;

  // Threads that read through so much staging memory, the caller's included: known before, for the budget.
  static int threads_for(int64_t staging_bytes);

  // `staging` is borrowed: kLeastStagingBytes or more, of any alignment. Starts the threads. Throws MachineFailure when
  // the machine gives none.
  explicit BlockReader(std::span<std::byte> staging);

  int thread_count() const { return threads_.count(); }

  // Called on several threads at the same time, for pieces that do not overlap, in no order. What it throws ends the
  // reading.
  using Sink = std::function<void(const ReadPiece& piece)>;
  // Called on the caller's thread, now and then, with the bytes that the sink has had.
  using Progress = std::function<void(int64_t done_bytes)>;

  // Hands each byte of each range to the sink once. Ranges that follow each other in a file share a block: sort them by
  // file and offset. Throws the error of the first block that failed, whichever thread met it: InvalidInput where a
  // file ends before a range, MachineFailure for a disk's errors, the sink's.
  void read(std::span<const ReadRange> ranges, const Sink& sink, const Progress& progress = nullptr);

 private:
  std::span<std::byte> staging_;  // aligned, one block a thread
  int64_t block_bytes_ = 0;
  Threads threads_;
};

}  // namespace headroom
