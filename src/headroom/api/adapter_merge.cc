#include "headroom/api/adapter_merge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

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
    : path_(adapter), adapter_(open_adapter(adapter, model)) {
  if (!adapter.empty()) files_ = std::make_unique<WeightFiles>(open_adapter_files(adapter));
}

int64_t AdapterMerge::heap_bytes() const {
  int64_t most = 0;
  for (const LoraLayer& layer : adapter_.layers) {
    const int64_t row_and_factors = adapter_.has_magnitudes ? layer.inputs + layer.outputs : 0;
    most = std::max(most, layer.rank * (layer.inputs + layer.outputs) + row_and_factors);
  }
  return most * size_of(DType::f32);
}

WeightTensor AdapterMerge::merged(const WeightTensor& base) {
  const std::vector<LoraLayer>& layers = adapter_.layers;
  const auto layer = std::ranges::find(layers, base.stored.name, &LoraLayer::weight);
  const bool is_whole = std::ranges::find(adapter_.whole, base.stored.name) != adapter_.whole.end();
  if (layer == layers.end() && !is_whole) return base;
  bases_.push_back({base, is_whole ? nullptr : &*layer, is_whole ? files_->find(base.stored.name) : std::nullopt});
  WeightTensor merged = base;
  merged.file = this;
  merged.stored.in_order = false;
  merged.stored.format = nullptr;
  merged.stored.exact_format = nullptr;
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

void AdapterMerge::take_layer(const Base& base) const {
  const LoraLayer& layer = *base.layer;
  if (taken_ == &layer) return;
  a_.resize(static_cast<size_t>(layer.rank * layer.inputs));
  b_.resize(static_cast<size_t>(layer.outputs * layer.rank));
  const auto read = [&](const std::string& name, const Shape& shape, std::vector<float>& out) {
    files_->require(name, shape).read(0, shape.elements(), DType::f32, out.data(), NanCheck::refuse);
  };
  read(lora_a_name(layer.weight), {layer.rank, layer.inputs}, a_);
  read(lora_b_name(layer.weight), {layer.outputs, layer.rank}, b_);
  if (adapter_.has_magnitudes) {
    row_factors_.resize(static_cast<size_t>(layer.outputs));
    read(lora_magnitude_name(layer.weight), {layer.outputs}, row_factors_);
    divide_by_norms(base);
  }
  taken_ = &layer;
}

void AdapterMerge::divide_by_norms(const Base& base) const {
  const LoraLayer& layer = *base.layer;
  std::vector<float> row(static_cast<size_t>(layer.inputs));
  for (int64_t o = 0; o < layer.outputs; ++o) {
    base.tensor.read(o * layer.inputs, layer.inputs, DType::f32, row.data());
    add_row(b_.data() + o * layer.rank, layer, a_.data(), 0, layer.inputs, row.data());
    double squares = 0;
    for (const float element : row) squares += static_cast<double>(element) * static_cast<double>(element);
    float& factor = row_factors_[static_cast<size_t>(o)];
    factor = static_cast<float>(static_cast<double>(factor) / std::sqrt(squares));
  }
}

void AdapterMerge::read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
                        NanCheck nan_check) const {
  ensure(wanted == DType::f32, "merged weights are read as f32, not as {}", name_of(wanted));
  const Base& base = base_of(tensor.name);
  if (base.whole) return base.whole->read(first, count, DType::f32, out, NanCheck::refuse);
  const LoraLayer& layer = *base.layer;
  base.tensor.read(first, count, DType::f32, out, nan_check);
  take_layer(base);
  for (int64_t done = 0; done < count;) {
    const int64_t row = (first + done) / layer.inputs;
    const int64_t column = (first + done) % layer.inputs;
    const int64_t run = std::min(layer.inputs - column, count - done);
    float* const sums = static_cast<float*>(out) + done;
    add_row(b_.data() + row * layer.rank, layer, a_.data(), column, run, sums);
    if (!row_factors_.empty()) {
      for (float& sum : std::span(sums, static_cast<size_t>(run))) sum *= row_factors_[static_cast<size_t>(row)];
    }
    done += run;
  }
}

const File& AdapterMerge::file(const StoredTensor&) const { throw InternalError("merged weights lie in no file"); }
int64_t AdapterMerge::unit_bytes(const StoredTensor&) const { throw InternalError("merged weights lie in no file"); }
void AdapterMerge::decode(const StoredTensor&, int64_t, std::span<const std::byte>, DType, void*, NanCheck) const {
  throw InternalError("merged weights lie in no file");
}

}  // namespace headroom
