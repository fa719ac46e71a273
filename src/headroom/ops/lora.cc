// The scale is multiplied where it costs least: into the factor of dropout, otherwise into the r columns in the middle.
#include "headroom/ops/lora.h"

#include <fmt/core.h>

#include "headroom/base/errors.h"
#include "headroom/ops/add.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/random_key.h"
#include "headroom/ops/scale.h"

namespace headroom {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kWeight = ".weight";

std::string name_of_factor(std::string_view weight, char factor) {
  ensure(weight.ends_with(kWeight), "'{}' is no weight of a layer", weight);
  return fmt::format("{}{}.lora_{}.weight", kPrefix, weight.substr(0, weight.size() - kWeight.size()), factor);
}

}  // namespace

std::string lora_a_name(std::string_view weight) { return name_of_factor(weight, 'A'); }
std::string lora_b_name(std::string_view weight) { return name_of_factor(weight, 'B'); }

bool is_lora_name(std::string_view name) {
  return name.starts_with(kPrefix) && (name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight"));
}

ValueId add_lora(Builder& build, ValueId x, ValueId y, const LoraLayer& layer, const LoraDropout& settings) {
  const std::string a_name = lora_a_name(layer.weight);
  const ValueId a = build.input(a_name, f32({layer.rank, layer.inputs}), Role::weight);
  const ValueId b = build.input(lora_b_name(layer.weight), f32({layer.outputs, layer.rank}), Role::weight);
  if (settings.rate > 0) {
    const double factor = layer.scale / (1 - settings.rate);
    x = dropout(build, x, settings.random_key, settings.rows, {settings.rate, factor, random_site(a_name)});
  }
  ValueId low = linear(build, x, a);
  if (settings.rate == 0 && layer.scale != 1) low = scale(build, low, layer.scale);
  return add(build, y, linear(build, low, b));
}

}  // namespace headroom
