// What a layer gets of each row of tokens of a calibration, between the layers: in memory, or on disk where that has no
// room for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "headroom/backend/arena.h"
#include "headroom/backend/offload_file.h"

namespace headroom {

class HiddenRows {
 public:
  // `rows` of `elements` numbers each, all zeros; in a file in `disk`, or where that is empty in memory. Throws as
  // Arena and OffloadFile do.
  HiddenRows(int64_t rows, int64_t elements, const std::string& disk, Threads& threads);

  // Of memory, and of the disk.
  static int64_t memory_bytes(int64_t rows, int64_t elements, bool on_disk);
  static int64_t disk_bytes(int64_t rows, int64_t elements);

  void read(int64_t row, std::span<float> to) const;
  void write(int64_t row, std::span<const float> from);
  // Elements [first, first + count) of the row become zeros.
  void clear(int64_t row, int64_t first, int64_t count);

 private:
  std::byte* load(int64_t row) const;

  int64_t row_bytes_;
  Arena memory_;  // all rows, or of those on disk one on its way
  std::unique_ptr<OffloadFile> file_;
};

}  // namespace headroom
