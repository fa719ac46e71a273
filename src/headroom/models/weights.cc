#include "headroom/models/weights.h"

#include <algorithm>
#include <unordered_set>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weight_files.h"

namespace headroom {
namespace {

constexpr int64_t kPieceBytes = 4 * kMiB;

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

}  // namespace

void check_weights(const std::string& path, const Model& model) { check(WeightFiles(path), path, model); }

void load_weights(const std::string& path, const Model& model, const Workspace& workspace, const LoadProgress& progress,
                  std::string_view prefix) {
  const WeightFiles files(path);
  check(files, path, model);
  const auto destination = [&](const Parameter& parameter) {
    return workspace.persistent(std::string(prefix) + parameter.name);
  };
  int64_t total = 0;
  for (const Parameter& parameter : model.parameters()) total += destination(parameter).type.bytes();
  int64_t done = 0;
  for (const Parameter& parameter : model.parameters()) {
    const Tensor tensor = destination(parameter);
    const WeightTensor source = files.require(parameter.name, parameter.shape);
    const int64_t element_bytes = size_of(tensor.type.dtype);
    const int64_t piece = kPieceBytes / element_bytes;
    for (int64_t first = 0; first < tensor.elements(); first += piece) {
      const int64_t count = std::min(piece, tensor.elements() - first);
      source.read(first, count, tensor.type.dtype, tensor.data + first * element_bytes, NanCheck::refuse);
      done += count * element_bytes;
      if (progress) progress(done, total);
    }
  }
}

}  // namespace headroom
