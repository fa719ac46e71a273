#include "headroom/base/block_reader.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

#include "headroom/base/bytes.h"
#include "headroom/base/direct_file.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int kMostReadThreads = 16;
constexpr int64_t kMostBlockBytes = 4 * kMiB;
constexpr int64_t kSmallBlockBytes = 256 * kKiB;  // blocks grow beyond it when there are threads enough
constexpr int64_t kMostGapBytes = 64 * kKiB;      // between ranges of one block: read and dropped

int64_t round_down(int64_t bytes, int64_t step) { return bytes / step * step; }

// Where reading stands: in range number `range`, `offset_bytes` from its begin.
struct Place {
  size_t range = 0;
  int64_t offset_bytes = 0;
};

struct Block {
  int64_t number = 0;
  std::shared_ptr<const DirectFile> file;
  Place first;
  int64_t begin = 0;       // in the file, aligned
  int64_t size_bytes = 0;  // that are wanted of it
};

// Cuts the ranges into blocks, one call a block, and hears how each ended. Safe with threads.
class Course {
 public:
  Course(std::span<const ReadRange> ranges, int64_t block_bytes) : ranges_(ranges), block_bytes_(block_bytes) {
    for (const ReadRange& range : ranges) {
      ensure(range.unit_bytes >= 1 && range.unit_bytes <= BlockReader::kLargestUnitBytes &&
                 range.size_bytes % range.unit_bytes == 0,
             "a range of {} bytes in units of {}", range.size_bytes, range.unit_bytes);
    }
  }

  // False when nothing is left or something has failed.
  bool next(Block& block) {
    const std::lock_guard lock(mutex_);
    skip_empty();
    if (failed_ || place_.range == ranges_.size()) return false;
    const ReadRange& range = ranges_[place_.range];
    if (source_ != range.file) {
      file_ = std::make_shared<const DirectFile>(*range.file);
      source_ = range.file;
    }
    const int64_t begin = round_down(range.offset_bytes + place_.offset_bytes, kPageBytes);
    block = {blocks_++, file_, place_, begin, 0};
    place_ = walk(place_, begin,
                  [&](Place, int64_t position, int64_t bytes) { block.size_bytes = position + bytes - begin; });
    return true;
  }

  // Calls visit(place, position in the file, bytes) for each part of a range that lies in the block of `first`, and
  // returns where the next block begins.
  template <class Visit>
  Place walk(Place first, int64_t begin, Visit&& visit) const {
    const File* file = ranges_[first.range].file;
    const int64_t limit = begin + block_bytes_;
    int64_t end = begin;
    for (Place place = first;; place = {place.range + 1, 0}) {
      if (place.range == ranges_.size() || ranges_[place.range].file != file) return place;
      const ReadRange& range = ranges_[place.range];
      const int64_t position = range.offset_bytes + place.offset_bytes;
      const int64_t left = range.size_bytes - place.offset_bytes;
      if (left == 0) continue;
      if (position < end || position - end > kMostGapBytes) return place;
      const int64_t bytes = std::min(left, round_down(std::max<int64_t>(limit - position, 0), range.unit_bytes));
      if (bytes == 0) return place;
      visit(place, position, bytes);
      end = position + bytes;
      if (bytes < left) return {place.range, place.offset_bytes + bytes};
    }
  }

  void fail(int64_t number, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (failed_ && number > failed_number_) return;
    failed_ = true;
    failed_number_ = number;
    error_ = std::move(error);
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void skip_empty() {
    while (place_.range < ranges_.size() && ranges_[place_.range].size_bytes == place_.offset_bytes) {
      place_ = {place_.range + 1, 0};
    }
  }

  std::span<const ReadRange> ranges_;
  int64_t block_bytes_;
  std::mutex mutex_;
  Place place_;
  int64_t blocks_ = 0;
  const File* source_ = nullptr;
  std::shared_ptr<const DirectFile> file_;  // of source_; closed when the last block of it is done
  bool failed_ = false;
  int64_t failed_number_ = 0;
  std::exception_ptr error_;
};

std::span<std::byte> aligned(std::span<std::byte> memory) {
  const auto begin = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory.data()));
  return memory.subspan(static_cast<size_t>(round_up(begin, kPageBytes) - begin));
}

}  // namespace

int BlockReader::threads_for(int64_t staging_bytes) {
  return static_cast<int>(std::clamp<int64_t>((staging_bytes - kPageBytes) / kSmallBlockBytes, 1, kMostReadThreads));
}

BlockReader::BlockReader(std::span<std::byte> staging)
    : staging_(aligned(staging)), threads_(threads_for(static_cast<int64_t>(staging.size()))) {
  ensure(static_cast<int64_t>(staging.size()) >= kLeastStagingBytes, "{} bytes of staging memory", staging.size());
  const int64_t share = static_cast<int64_t>(staging_.size()) / threads_.count();
  block_bytes_ = std::min(round_down(share, kPageBytes), kMostBlockBytes);
}

void BlockReader::read(std::span<const ReadRange> ranges, const Sink& sink, const Progress& progress) {
  Course course(ranges, block_bytes_);
  std::atomic<int64_t> done_bytes{0};
  threads_.run([&](int thread) {
    std::byte* memory = staging_.data() + thread * block_bytes_;
    for (Block block;;) {
      try {
        if (!course.next(block)) return;
        const int64_t got = block.file->read_some(block.begin, memory, round_up(block.size_bytes, kPageBytes));
        if (got < block.size_bytes) {
          throw InvalidInput("{}: the file is truncated; expected {} bytes at offset {}, got {}",
                             ranges[block.first.range].file->path(), block.size_bytes, block.begin, got);
        }
        int64_t wanted = 0;
        course.walk(block.first, block.begin, [&](Place place, int64_t position, int64_t bytes) {
          sink({place.range,
                place.offset_bytes,
                {memory + (position - block.begin), static_cast<size_t>(bytes)},
                thread});
          wanted += bytes;
        });
        const int64_t done = done_bytes.fetch_add(wanted) + wanted;
        if (thread == 0 && progress) progress(done);
      } catch (...) {
        course.fail(block.number, std::current_exception());
      }
    }
  });
  course.rethrow();
}

}  // namespace headroom
