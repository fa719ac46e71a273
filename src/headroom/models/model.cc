#include "headroom/models/model.h"

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"
#include "headroom/formats/json_object.h"

extern "C" {
[[gnu::weak]] extern const headroom::Architecture* const __start_headroom_architectures[];
[[gnu::weak]] extern const headroom::Architecture* const __stop_headroom_architectures[];
}

namespace headroom {

std::unique_ptr<Model> make_model(const JsonObject& config) {
  const std::vector<std::string> names =
      config.has("architectures") ? config.texts("architectures") : std::vector<std::string>{};
  const std::span<const Architecture* const> table{__start_headroom_architectures, __stop_headroom_architectures};
  std::string known;
  for (const Architecture* architecture : table) {
    for (const std::string& name : names) {
      if (name == architecture->name) return architecture->read(config);
    }
    // A config without the list says what it is by model_type ("llama").
    if (names.empty() && config.text_or("model_type", "") == architecture->model_type)
      return architecture->read(config);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", architecture->name);
  }
  throw InvalidInput("{}: unknown architecture {}; expected one of {}", config.where("architectures"),
                     config.show("architectures"), known);
}

int64_t parameter_count(const Model& model) {
  int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.shape.elements();
  return count;
}

void fill_rotary_table(std::span<const double> frequencies, std::span<float> table) {
  const size_t half = frequencies.size();
  const size_t positions = table.size() / (2 * half);
  for (size_t position = 0; position < positions; ++position) {
    float* row = table.data() + position * 2 * half;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequencies[i];
      row[i] = static_cast<float>(real::cos(angle));
      row[half + i] = static_cast<float>(real::sin(angle));
    }
  }
}

}  // namespace headroom
