#include "headroom/models/settle_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/model.h"

namespace headroom {
namespace {

constexpr int64_t kComparedElements = 16 * 1024;

bool hold_the_same(const WeightTensor& a, const WeightTensor& b) {
  if (a.stored.shape != b.stored.shape) return false;
  std::vector<float> of_a(kComparedElements), of_b(kComparedElements);
  const int64_t elements = a.stored.shape.elements();
  for (int64_t first = 0; first < elements; first += kComparedElements) {
    const int64_t count = std::min(kComparedElements, elements - first);
    a.read(first, count, DType::f32, of_a.data());
    b.read(first, count, DType::f32, of_b.data());
    if (!std::equal(of_a.begin(), of_a.begin() + count, of_b.begin())) return false;
  }
  return true;
}

// Whether a name that the model takes for another parameter's is a tensor of its own.
bool has_its_own(const WeightFiles& files, const Alias& alias) {
  const std::optional<WeightTensor> tensor = files.find(alias.name);
  const std::optional<WeightTensor> parameter = files.find(alias.parameter);
  return tensor && parameter && !hold_the_same(*tensor, *parameter);
}

std::string_view checkpoint_dtype(const WeightFiles& files, const std::string& parameter) {
  const std::optional<WeightTensor> tensor = files.find(parameter);
  if (!tensor) return "float32";
  switch (tensor->stored.type) {
    case StoredType::bf16: return hugging_face_name_of(DType::bf16);
    case StoredType::f16: return hugging_face_name_of(DType::f16);
    default: return hugging_face_name_of(DType::f32);
  }
}

}  // namespace

JsonObject settle_config(const JsonObject& config, const std::string& path) {
  const std::unique_ptr<Model> model = make_model(config);
  const bool names_dtype = config.has("dtype") || config.has("torch_dtype");
  const std::vector<Alias> aliases = model->aliases();
  if (names_dtype && aliases.empty()) return config;
  const WeightFiles files(path);
  JsonObject settled = config;
  if (!names_dtype) settled = settled.with("torch_dtype", checkpoint_dtype(files, model->tensors().front().name));
  if (std::any_of(aliases.begin(), aliases.end(), [&](const Alias& alias) { return has_its_own(files, alias); }))
    settled = settled.with("tie_word_embeddings", false);
  return settled;
}

}  // namespace headroom
