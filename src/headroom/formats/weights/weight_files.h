// The weights of a model as one set of tensors under Hugging Face's names: of a model directory, model.safetensors or
// the shards that model.safetensors.index.json names (other safetensors files in it are none of the model's), or of a
// GGUF file. What other programs have quantised, as the directory's config.json says, is a tensor a weight
// (foreign_weights.h), too.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/weights/safetensors.h"

namespace headroom {

// A tensor and the file that holds it. Lives as long as its WeightFiles.
struct WeightTensor {
  const TensorFile* file = nullptr;
  StoredTensor stored;

  // See TensorFile::read.
  void read(int64_t first, int64_t count, DType wanted, void* out, NanCheck nan_check = NanCheck::allow) const {
    file->read(stored, first, count, wanted, out, nan_check);
  }
};

// The order in which files are read: by their paths, and in a file as it holds them.
bool is_before(const WeightTensor& a, const WeightTensor& b);

struct QuantizationConfig;

class WeightFiles {
 public:
  static constexpr int64_t kMaxIndexBytes = 32 * 1024 * 1024;
  static constexpr int64_t kMaxHeaderBytes = 32 * 1024 * 1024;  // of all shards together
  static constexpr int64_t kMaxShards = 1000;

  // `path` is a model directory, or one safetensors or GGUF file. Throws InvalidInput naming the file at fault: no
  // weights, a shard that is missing or outside the directory, a tensor that is not in the shard that the index names,
  // or in two shards.
  explicit WeightFiles(const std::string& path);
  // The tensors of one file that is open already.
  explicit WeightFiles(std::unique_ptr<TensorFile> file);

  // All tensors, by name.
  int64_t count() const { return static_cast<int64_t>(places_.size()); }
  WeightTensor tensor(int64_t index) const { return at(places_.at(static_cast<size_t>(index))); }

  std::string_view name(int64_t index) const { return name_at(places_.at(static_cast<size_t>(index))); }
  const std::string& path() const { return path_; }
  // What the heap holds of the weights that others have coded, each of which is read out of several tensors, at most.
  int64_t coded_heap_bytes() const { return coded_ * kCodedHeapBytes; }

  std::optional<WeightTensor> find(std::string_view name) const;
  // Throws InvalidInput where the tensor is missing or has another shape: the files do not belong to the config.
  // Messages name a tensor as its file does.
  WeightTensor require(std::string_view name, const Shape& shape) const;
  // What the tensors must fit, for messages: "this config.json".
  std::string_view config_words() const { return is_gguf_ ? "the metadata of the file" : "this config.json"; }

 private:
  struct Shard {
    std::string name;
    std::unique_ptr<TensorFile> file;
  };
  struct Place {
    uint32_t shard;
    uint32_t tensor;
  };

  void take_file(std::unique_ptr<TensorFile> file);
  void assemble_foreign_weights(const QuantizationConfig& config);
  void open_sharded(const std::string& directory, const std::string& index_path);
  void collect_shards(const File& index, const std::string& directory);
  void check_listing(const File& index);
  void sort_places();
  std::vector<Shard>::iterator lower_bound(const std::string& name);
  WeightTensor at(Place place) const;
  std::string_view name_at(Place place) const { return shards_[place.shard].file->name(place.tensor); }

  static constexpr int64_t kCodedHeapBytes = 1280;

  std::string path_;
  bool is_gguf_ = false;
  int64_t coded_ = 0;          // weights of foreign_weights.h
  std::vector<Shard> shards_;  // by name
  std::vector<Place> places_;  // by the tensor's name
};

}  // namespace headroom
