#include "headroom/models/weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <set>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/assembled_tensor.h"
#include "headroom/formats/weights/weight_files.h"

namespace headroom {
namespace {

constexpr int64_t kPrintedElements = 64;

void check(const WeightFiles& files, const std::string& path, const Model& model) {
  std::unordered_set<std::string> names;
  for (const ModelTensor& tensor : model.tensors()) {
    files.require(tensor.name, tensor.shape);
    names.insert(tensor.name);
  }
  for (const Alias& alias : model.aliases()) names.insert(alias.name);
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.tensor(i).stored.name);
    if (names.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
    throw InvalidInput("{}: tensor {} is none of the model's; the weights do not belong to {}", path, name,
                       files.config_words());
  }
}

// `is_whole`: and alone, as a weight.
DType format_of(const StoredTensor& tensor, bool is_whole) {
  if (tensor.format != nullptr && is_whole) return tensor.format->dtype();
  if (tensor.exact_format != nullptr && is_whole) return tensor.exact_format->dtype();
  switch (tensor.type) {
    case StoredType::bf16: return DType::bf16;
    case StoredType::f16: return DType::f16;
    default: return DType::f32;
  }
}

}  // namespace

void check_weights(const std::string& path, const Model& model) { check(WeightFiles(path), path, model); }

void take_stored_formats(const std::string& path, Model& model) {
  const WeightFiles files(path);
  std::unordered_map<std::string, DType> formats;
  for (const Parameter& parameter : model.parameters()) {
    std::optional<DType> format;
    for (const Slice& slice : parameter.binding->slices) {
      const std::optional<WeightTensor> tensor = files.find(slice.tensor);
      if (!tensor) continue;
      const bool is_whole = parameter.binding->slices.size() == 1 && tensor->stored.shape == parameter.shape;
      const DType of_slice = format_of(tensor->stored, is_whole);
      format = !format || *format == of_slice ? of_slice : DType::f32;
    }
    if (format && *format != model.stored_dtype()) formats.emplace(parameter.name, *format);
  }
  model.set_stored_formats(std::move(formats));
}

std::vector<KeptWeights> kept_weights(const std::string& path, const Model& model) {
  const WeightFiles files(path);
  const WeightFormats formats = model.stored_formats();
  std::vector<KeptWeights> all;
  for (const Parameter& parameter : model.parameters()) {
    const std::vector<Slice>& slices = parameter.binding->slices;
    const std::optional<WeightTensor> tensor = slices.size() == 1 ? files.find(slices.front().tensor) : std::nullopt;
    if (!tensor || tensor->stored.type != StoredType::encoded) continue;
    const DType kept = formats(parameter.name);
    const std::string_view stored = tensor->stored.type_name;
    auto place = std::find_if(all.begin(), all.end(),
                              [&](const KeptWeights& one) { return one.stored == stored && one.kept == kept; });
    if (place == all.end()) place = all.insert(all.end(), KeptWeights{std::string(stored), kept});
    ++place->tensors;
    place->file_bytes += tensor->stored.size_bytes;
    place->bytes += Type{kept, parameter.shape}.bytes();
  }
  return all;
}

std::string names_of_formats(const Model& model) {
  const WeightFormats formats = model.stored_formats();
  std::set<DType> all;
  for (const Parameter& parameter : model.parameters()) all.insert(formats(parameter.name));
  std::string names;
  for (const DType one : all) names += fmt::format("{}{}", names.empty() ? "" : " and ", name_of(one));
  return names;
}

void take_formats_of_q8(Model& model) {
  const GroupedFormat& format = *find_grouped(8, false, 32);
  std::unordered_map<std::string, DType> formats;
  for (const Parameter& parameter : model.parameters()) {
    const Shape& shape = parameter.shape;
    const bool in_blocks = shape.rank() > 1 && shape[shape.rank() - 1] % format.group() == 0;
    const DType held = shape.rank() < 2 ? DType::f32 : in_blocks ? format.dtype() : DType::f16;
    if (held != model.stored_dtype()) formats.emplace(parameter.name, held);
  }
  model.set_stored_formats(std::move(formats));
}

uint64_t fingerprint_of_weights(const std::string& path, const Model& model) {
  const WeightFiles files(path);
  Fingerprint print;
  for (const ModelTensor& tensor : model.tensors()) {
    print.add(tensor.name);
    for (const int64_t dim : tensor.shape) print.add(dim);
    std::array<float, kPrintedElements> first = {};
    const int64_t count = std::min(kPrintedElements, tensor.shape.elements());
    files.require(tensor.name, tensor.shape).read(0, count, DType::f32, first.data());
    for (const float element : first) print.add(int64_t{std::bit_cast<int32_t>(element)});
  }
  return print.value();
}

LoadStatistics load_bound(const WeightFiles& files, Source source, const Workspace& workspace,
                          const LoadProgress& progress) {
  std::vector<ValueLoad> loads;
  std::deque<AssembledTensor> assembled;
  for (const PersistentValue& value : workspace.plan().persistent) {
    if (value.binding == nullptr || value.binding->source != source || value.tier == Tier::model) continue;
    const std::vector<Slice>& slices = value.binding->slices;
    if (std::none_of(slices.begin(), slices.end(), [&](const Slice& one) { return files.find(one.tensor); })) continue;
    std::vector<TensorPart> parts;
    for (const Slice& slice : slices) {
      parts.push_back({files.require(slice.tensor, slice.shape), slice.from, slice.to});
    }
    const StoredValue stored = workspace.stored(value.name);
    const bool is_whole = parts.size() == 1 && parts[0].source.stored.shape == stored.type.shape;
    if (!is_whole) assembled.emplace_back(value.name, stored.type.shape, parts);
    loads.push_back({is_whole ? parts[0].source : assembled.back().value(), stored});
  }
  return load_values(loads, NanCheck::refuse, progress);
}

LoadStatistics load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                            const LoadProgress& progress, Source source) {
  const WeightFiles files(path);
  check(files, path, model);
  return load_bound(files, source, workspace, progress);
}

}  // namespace headroom
