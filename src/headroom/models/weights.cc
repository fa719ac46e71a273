#include "headroom/models/weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/formats/weights/weight_files.h"

namespace headroom {
namespace {

constexpr int64_t kPrintedElements = 64;

void check(const WeightFiles& files, const std::string& path, const Model& model) {
  std::unordered_set<std::string> names;
  for (const Parameter& parameter : model.parameters()) {
    files.require(parameter.name, parameter.shape);
    names.insert(parameter.name);
  }
  for (const Alias& alias : model.aliases()) names.insert(alias.name);
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.tensor(i).stored.name);
    if (names.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
    throw InvalidInput("{}: tensor {} is none of the model's; the weights do not belong to this config.json", path,
                       name);
  }
}

DType format_of(StoredType type) {
  switch (type) {
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
    const std::optional<WeightTensor> tensor = files.find(parameter.name);
    if (!tensor || format_of(tensor->stored.type) == model.stored_dtype()) continue;
    formats.emplace(parameter.name, format_of(tensor->stored.type));
  }
  model.set_stored_formats(std::move(formats));
}

uint64_t fingerprint_of_weights(const std::string& path, const Model& model) {
  const WeightFiles files(path);
  Fingerprint print;
  for (const Parameter& parameter : model.parameters()) {
    print.add(parameter.name);
    for (const int64_t dim : parameter.shape) print.add(dim);
    std::array<float, kPrintedElements> first = {};
    const int64_t count = std::min(kPrintedElements, parameter.shape.elements());
    files.require(parameter.name, parameter.shape).read(0, count, DType::f32, first.data());
    for (const float element : first) print.add(int64_t{std::bit_cast<int32_t>(element)});
  }
  return print.value();
}

LoadStatistics load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                            const LoadProgress& progress, std::string_view prefix) {
  const WeightFiles files(path);
  check(files, path, model);
  std::vector<ValueLoad> loads;
  for (const Parameter& parameter : model.parameters()) {
    const std::string name = std::string(prefix) + parameter.name;
    if (workspace.has(name)) loads.push_back({files.require(parameter.name, parameter.shape), workspace.stored(name)});
  }
  return load_values(loads, NanCheck::refuse, progress);
}

}  // namespace headroom
