// Writes the weights of a Hugging Face model directory, as transformers does: model.safetensors, or where that would be
// larger than a shard may be, model-00001-of-0000N.safetensors and so on with model.safetensors.index.json.
//
// Tensors are spread over shards in the order of their declaration. Within a file, those whose size is a multiple of
// 4096 bytes come first, so that each begins at such a multiple; then wider dtypes before narrower ones, so that each
// is aligned to its element.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/weights/safetensors_writer.h"

namespace headroom {

// --shard-size in bytes; throws InvalidInput for what is no size of one byte or more. The flag's default is that of
// transformers 5, 50GB.
int64_t parse_shard_size(std::string_view flag);

class WeightWriter {
 public:
  // A file holds at most `shard_bytes` of tensors, but at least one. Throws InvalidInput where that makes more shards
  // than headroom reads.
  WeightWriter(std::vector<TensorDeclaration> tensors, int64_t shard_bytes);

  // Of all files together.
  int64_t file_bytes() const { return file_bytes_; }
  int64_t tensor_bytes() const { return tensor_bytes_; }
  int64_t shard_count() const { return static_cast<int64_t>(shards_.size()); }
  // The members of each file, in the order in which it is filled.
  std::span<const std::vector<size_t>> shards() const { return shards_; }

  // Fills one file: writes all its tensors, which are `members` (indices of declarations, in the order of the file's
  // declarations).
  using Fill = std::function<void(SafetensorsWriter& file, std::span<const size_t> members)>;

  // Writes all files into `directory`, which must exist, one after the other under temporary names; then they take the
  // place of the weights that are there, without a moment at which a reader finds a mixture. Throws as
  // SafetensorsWriter and `fill` do; the weights that were there are then still there.
  void write(const std::string& directory, const Fill& fill) const;

 private:
  std::vector<TensorDeclaration> declarations_of(std::span<const size_t> members) const;
  std::string name_of_shard(size_t shard) const;
  void write_index(const std::string& path) const;
  void publish(const std::string& from, const std::string& directory) const;

  std::vector<TensorDeclaration> tensors_;
  std::vector<std::vector<size_t>> shards_;
  int64_t tensor_bytes_ = 0;
  int64_t file_bytes_ = 0;
};

}  // namespace headroom
