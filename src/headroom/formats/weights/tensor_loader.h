// Reads whole tensors of weight files into memory, in the order of the files, at the disk's rate
// (base/block_reader.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "headroom/formats/weights/weight_files.h"

namespace headroom {

struct TensorLoad {
  WeightTensor source;
  DType wanted = DType::f32;
  std::byte* out = nullptr;  // the value as `wanted`, dense and row-major; borrowed, and there for block formats
  // Where in the value: of block formats that the file holds, or holds exactly, and that have a stack_stride. All
  // tensors of a value are loaded together.
  StackPlace place = {};
  // Where `out` is null: takes them piece by piece, in order, on the caller's thread, from memory that is aligned to
  // kPieceBytes. Each piece but the last is a whole multiple of that, and the last may be read to such a multiple.
  std::function<void(int64_t first_byte, const std::byte* data, int64_t size_bytes)> sink = nullptr;
  static constexpr int64_t kPieceBytes = 4096;
};

// What was read, and how long it took.
struct LoadStatistics {
  int64_t bytes = 0;  // of the files
  double seconds = 0;
};

// Called on the caller's thread, now and then, with the bytes read so far and in all.
using LoadProgress = std::function<void(int64_t done_bytes, int64_t total_bytes)>;

// Fills the destinations of `loads` by way of `staging` (borrowed; as BlockReader takes it). What a file holds in the
// format that is wanted is copied. The bits do not depend on the staging memory, nor does the error: InvalidInput for a
// dtype that does not convert, a NaN where that is refused or a block format is wanted, a scale that is no number (of
// several the one that comes first in the files), or a file that has become shorter.
LoadStatistics load_tensors(std::vector<TensorLoad> loads, std::span<std::byte> staging, NanCheck nan_check,
                            const LoadProgress& progress = nullptr);

}  // namespace headroom
