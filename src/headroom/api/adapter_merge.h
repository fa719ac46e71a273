// A model's weights with an adapter merged in, element by element as they are read: w + scale * (B A), in f32, each row
// of which DoRA scales to its magnitude; or the layer that the adapter has whole. What `convert --adapter` reads from;
// it holds the matrices of one layer at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/adapter.h"

namespace headroom {

class AdapterMerge final : public TensorFile {
 public:
  // An empty path: nothing is merged. Throws as open_adapter.
  AdapterMerge(const std::string& adapter, const Model& model);

  // What the matrices of a layer and a row of their product take, at most.
  int64_t heap_bytes() const;

  // `base`, a tensor of the model, as it is read with the adapter: itself where the adapter does not touch it.
  // Otherwise its file is this object, whose read() gives f32 and is for one thread.
  WeightTensor merged(const WeightTensor& base);

  const std::string& path() const override { return path_; }
  int64_t count() const override { return static_cast<int64_t>(bases_.size()); }
  StoredTensor tensor(int64_t index) const override;
  int64_t find(std::string_view name) const override;
  // Element (o, i): p = the sum over k, ascending from +0, of B[o,k] * A[k,i], each product rounded; w + p * scale.
  // With magnitudes m that times m[o] / n, n the norm of row o of those sums: their squares in f64, added by ascending
  // i.
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check) const override;
  const File& file(const StoredTensor& tensor) const override;
  int64_t unit_bytes(const StoredTensor& tensor) const override;
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override;

 private:
  struct Base {
    WeightTensor tensor;
    const LoraLayer* layer;             // null for a whole layer,
    std::optional<WeightTensor> whole;  // which is this
  };
  const Base& base_of(std::string_view name) const;
  void take_layer(const Base& base) const;
  void divide_by_norms(const Base& base) const;  // the magnitudes in row_factors_

  std::string path_;
  Adapter adapter_;
  std::unique_ptr<WeightFiles> files_;  // of the adapter
  std::vector<Base> bases_;
  mutable const LoraLayer* taken_ = nullptr;  // whose matrices are these
  mutable std::vector<float> a_, b_;
  mutable std::vector<float> row_factors_;  // none without magnitudes
};

}  // namespace headroom
