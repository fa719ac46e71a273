// A value that lives from step to step as files see it: where its bytes come from and go to, wherever it lives.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "headroom/backend/offload_file.h"
#include "headroom/base/shape.h"
#include "headroom/formats/weights/tensor_loader.h"

namespace headroom {

// Dense and row-major, in memory or in an offload file; borrowed, as is the rest.
struct StoredValue {
  std::string name;
  Type type;
  std::byte* data = nullptr;  // null: on disk
  OffloadFile* file = nullptr;
  int64_t offset_bytes = 0;           // in that file
  std::span<std::byte> staging = {};  // by way of which files are read; nobody uses it meanwhile

  // Calls piece(first element, memory, elements) for all of it.
  using Piece = std::function<void(int64_t first, const std::byte* data, int64_t elements)>;
  void for_each_piece(const Piece& piece) const;
  // Elements [first, first + numbers.size()), rounded to the value's dtype. In memory, threads may write apart; on
  // disk, `first` lies on a page and what is written fits the staging memory.
  void write(int64_t first, std::span<const float> numbers) const;
};

struct ValueLoad {
  WeightTensor source;
  StoredValue value;
};

// As load_tensors, into values of one job, in their dtypes.
LoadStatistics load_values(const std::vector<ValueLoad>& loads, NanCheck nan_check,
                           const LoadProgress& progress = nullptr);

}  // namespace headroom
