#include "headroom/api/adapter_merge.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr size_t kColumns = 64;  // added at once: their sums stay in registers

// sums[j] = the chain of b[k] * a[k * stride + j] for `columns` j.
[[gnu::always_inline]] inline void add_products(const float* b, int64_t rank, const float* a, int64_t stride,
                                                std::array<float, kColumns>& sums) {
  sums.fill(0);
  for (int64_t k = 0; k < rank; ++k) {
    const float factor = b[k];
    const float* row = a + k * stride;
    for (size_t j = 0; j < kColumns; ++j) sums[j] += factor * row[j];
  }
}
[[gnu::target("avx2")]] void add_products_avx2(const float* b, int64_t rank, const float* a, int64_t stride,
                                               std::array<float, kColumns>& sums) {
  add_products(b, rank, a, stride, sums);
}

// Adds the columns [first, first + count) of row b A, times `scale`, to out.
void add_row(const float* b, const LoraLayer& layer, const float* a, int64_t first, int64_t count, float* out) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  const float scale = static_cast<float>(layer.scale);
  std::array<float, kColumns> sums;
  int64_t done = 0;
  for (; done + static_cast<int64_t>(kColumns) <= count; done += kColumns) {
    const float* columns = a + first + done;
    if (has_avx2) {
      add_products_avx2(b, layer.rank, columns, layer.inputs, sums);
    } else {
      add_products(b, layer.rank, columns, layer.inputs, sums);
    }
    for (size_t j = 0; j < kColumns; ++j) out[done + static_cast<int64_t>(j)] += sums[j] * scale;
  }
  for (; done < count; ++done) {
    float sum = 0;
    for (int64_t k = 0; k < layer.rank; ++k) sum += b[k] * a[k * layer.inputs + first + done];
    out[done] += sum * scale;
  }
}

}  // namespace

AdapterMerge::AdapterMerge(const std::string& adapter, const Model& model)
    : path_(adapter), layers_(open_adapter(adapter, model)) {
  if (!adapter.empty()) files_ = std::make_unique<WeightFiles>(open_adapter_files(adapter));
  bases_.reserve(layers_.size());
}

int64_t AdapterMerge::heap_bytes() const {
  int64_t most = 0;
  for (const LoraLayer& layer : layers_) most = std::max(most, layer.rank * (layer.inputs + layer.outputs));
  return most * size_of(DType::f32);
}

WeightTensor AdapterMerge::merged(const WeightTensor& base) {
  const auto layer = std::find_if(layers_.begin(), layers_.end(),
                                  [&](const LoraLayer& one) { return one.weight == base.stored.name; });
  if (layer == layers_.end()) return base;
  bases_.push_back({base, &*layer});
  WeightTensor merged = base;
  merged.file = this;
  merged.stored.in_order = false;
  return merged;
}

const AdapterMerge::Base& AdapterMerge::base_of(std::string_view name) const {
  const int64_t index = find(name);
  ensure(index >= 0, "'{}' has no adapter", name);
  return bases_[static_cast<size_t>(index)];
}

StoredTensor AdapterMerge::tensor(int64_t index) const { return bases_.at(static_cast<size_t>(index)).tensor.stored; }

int64_t AdapterMerge::find(std::string_view name) const {
  const auto found =
      std::find_if(bases_.begin(), bases_.end(), [&](const Base& base) { return base.tensor.stored.name == name; });
  return found == bases_.end() ? -1 : found - bases_.begin();
}

void AdapterMerge::take_layer(const LoraLayer& layer) const {
  if (taken_ == &layer) return;
  a_.resize(static_cast<size_t>(layer.rank * layer.inputs));
  b_.resize(static_cast<size_t>(layer.outputs * layer.rank));
  const auto read = [&](const std::string& name, const Shape& shape, std::vector<float>& out) {
    files_->require(name, shape).read(0, shape.elements(), DType::f32, out.data(), NanCheck::refuse);
  };
  read(lora_a_name(layer.weight), {layer.rank, layer.inputs}, a_);
  read(lora_b_name(layer.weight), {layer.outputs, layer.rank}, b_);
  taken_ = &layer;
}

void AdapterMerge::read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
                        NanCheck nan_check) const {
  ensure(wanted == DType::f32, "merged weights are read as f32, not as {}", name_of(wanted));
  const Base& base = base_of(tensor.name);
  const LoraLayer& layer = *base.layer;
  base.tensor.read(first, count, DType::f32, out, nan_check);
  take_layer(layer);
  for (int64_t done = 0; done < count;) {
    const int64_t row = (first + done) / layer.inputs;
    const int64_t column = (first + done) % layer.inputs;
    const int64_t run = std::min(layer.inputs - column, count - done);
    add_row(b_.data() + row * layer.rank, layer, a_.data(), column, run, static_cast<float*>(out) + done);
    done += run;
  }
}

const File& AdapterMerge::file(const StoredTensor&) const { throw InternalError("merged weights lie in no file"); }
int64_t AdapterMerge::unit_bytes(const StoredTensor&) const { throw InternalError("merged weights lie in no file"); }
void AdapterMerge::decode(const StoredTensor&, int64_t, std::span<const std::byte>, DType, void*, NanCheck) const {
  throw InternalError("merged weights lie in no file");
}

}  // namespace headroom
