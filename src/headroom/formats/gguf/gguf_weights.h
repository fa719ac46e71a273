// The weights of a GGUF file as those of a Hugging Face model: names translated, the rows of queries and keys in
// Hugging Face's order, each expert a tensor, quantised blocks read as the numbers they stand for.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/gguf/gguf_latents.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/weights/tensor_file.h"

namespace headroom {

class GgufWeights final : public TensorFile {
 public:
  // Throws as GgufFile does, and InvalidInput for an architecture that is not known, for a tensor of a type that cannot
  // be read, and for heads or experts that do not fit the tensors. Tensors that no table names keep their names;
  // rope_freqs.weight, which gguf_config.h reads, is left out.
  explicit GgufWeights(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  int64_t count() const override { return static_cast<int64_t>(places_.size()); }
  StoredTensor tensor(int64_t index) const override;
  std::string_view name(int64_t index) const override { return places_.at(static_cast<size_t>(index)).name; }
  int64_t find(std::string_view name) const override;
  // Also reads block formats, as f32 rounded to `wanted`.
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check = NanCheck::allow) const override;
  const File& file(const StoredTensor& tensor) const override;
  int64_t unit_bytes(const StoredTensor& tensor) const override;
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override;
  // Blocks that are groups (base/group_blocks.h), and rows of blocks that are interleaved.
  void regroup(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes,
               std::byte* out) const override;

 private:
  struct Place {
    std::string name;
    int32_t tensor;        // of file_
    int32_t head_dim;      // of interleaved rows; 0: rows are in order
    int32_t expert = -1;   // of the tensor, a matrix of which this is; -1: all of it
    int32_t latents = -1;  // of latents_; -1: none
  };

  void add_experts(int32_t index, const ExpertNames& names);
  void add_latents(int32_t index);
  GgufTensor tensor_of(const Place& place) const;
  static StoredTensor tensor_of(const Place& place, const GgufLatents& latents);

  const GgmlType& type_of(const StoredTensor& tensor) const;

  GgufFile file_;
  std::vector<GgufLatents> latents_;
  std::vector<Place> places_;  // by name
};

}  // namespace headroom
