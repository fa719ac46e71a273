// A value that lives from step to step as files see it: where its bytes come from and go to, wherever it lives.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headroom/backend/offload_file.h"
#include "headroom/base/rank_parts.h"
#include "headroom/base/shape.h"
#include "headroom/comm/communicator.h"
#include "headroom/formats/weights/tensor_loader.h"

namespace headroom {

// Dense and row-major, in memory or in an offload file; borrowed, as is the rest. What ranks hold in parts is to files
// the whole value: its name and type are the whole's, and so are the numbers of elements below.
struct StoredValue {
  std::string name;
  Type type;
  std::byte* data = nullptr;  // null: on disk
  OffloadFile* file = nullptr;
  int64_t offset_bytes = 0;             // in that file
  std::span<std::byte> staging = {};    // by way of which files are read; nobody uses it meanwhile
  std::optional<RankParts> parts = {};  // where this rank has only its part, at `data` or in the file
  Communicator* ranks = nullptr;        // that have the others

  // Calls piece(first element, memory, elements) for all of it, in order. Of parts: on rank 0, which the others send
  // theirs; on them it is called for nothing. All ranks must call it for their values in the same order.
  using Piece = std::function<void(int64_t first, const std::byte* data, int64_t elements)>;
  void for_each_piece(const Piece& piece) const;
  // Elements [first, first + numbers.size()), rounded to the value's dtype; of parts, those of them that are here. In
  // memory, threads may write apart; on disk, `first` lies on a page and what is written fits the staging memory.
  void write(int64_t first, std::span<const float> numbers) const;
  // The same of bytes as they are stored.
  void write_bytes(int64_t first_byte, std::span<const std::byte> bytes) const;
};

struct ValueLoad {
  WeightTensor source;
  StoredValue value;
  StackPlace place = {};  // of values in memory that ranks hold whole: the source is one of their tensors
};

// As load_tensors, into values of one job, in their dtypes.
LoadStatistics load_values(const std::vector<ValueLoad>& loads, NanCheck nan_check,
                           const LoadProgress& progress = nullptr);

}  // namespace headroom
