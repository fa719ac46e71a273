#include "headroom/models/weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/ops/dequantize.h"
#include "headroom/runtime/quantize.h"

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

// Where the weight lies that is kept in 4 or 8 bits.
std::vector<Tensor> quantized_tensors(const Workspace& workspace, const std::string& name, const Shape& shape) {
  const int bits = workspace.plan().find(quantized_parts(name, shape, 4).front().name) != nullptr ? 4 : 8;
  std::vector<Tensor> tensors;
  for (const QuantizedPart& part : quantized_parts(name, shape, bits)) {
    tensors.push_back(workspace.persistent(part.name));
  }
  return tensors;
}

}  // namespace

void check_weights(const std::string& path, const Model& model) { check(WeightFiles(path), path, model); }

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
  std::vector<TensorLoad> loads;
  std::vector<QuantizedLoad> quantized;
  for (const Parameter& parameter : model.parameters()) {
    const std::string name = std::string(prefix) + parameter.name;
    const WeightTensor source = files.require(parameter.name, parameter.shape);
    if (const PersistentValue* value = workspace.plan().find(name)) {
      loads.push_back({source, value->type.dtype});
      if (value->tier == Tier::disk) {
        loads.back().sink = sink_into(*workspace.offload_file(), value->offset_bytes);
      } else {
        loads.back().out = workspace.persistent(*value).data;
      }
    } else {
      quantized.push_back({source, quantized_tensors(workspace, name, parameter.shape)});
    }
  }
  LoadStatistics use = load_tensors(std::move(loads), workspace.staging(), NanCheck::refuse, progress);
  if (quantized.empty()) return use;
  const LoadStatistics more = load_quantized(quantized, workspace.staging(), progress);
  return {use.bytes + more.bytes, use.seconds + more.seconds};
}

}  // namespace headroom
