// The scale is multiplied where it costs least: into the factor of dropout, otherwise into the r columns in the middle.
#include "headroom/ops/lora.h"

#include <fmt/core.h>

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/ops/add.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/random_key.h"
#include "headroom/ops/scale.h"

namespace headroom {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kWeight = ".weight";

std::string name_beside(std::string_view weight, std::string_view end) {
  ensure(weight.ends_with(kWeight), "'{}' is no weight of a layer", weight);
  return fmt::format("{}{}{}", kPrefix, weight.substr(0, weight.size() - kWeight.size()), end);
}

ValueId declare(Builder& build, const std::string& name, const Shape& shape, const Initial& initial) {
  auto binding = std::make_shared<Binding>(bind_whole(name, shape));
  binding->source = Source::adapter;
  binding->initial = initial;
  binding->stays = true;
  return build.input(name, f32(shape), Role::weight, std::move(binding));
}

}  // namespace

std::string lora_a_name(std::string_view weight) { return name_beside(weight, ".lora_A.weight"); }
std::string lora_b_name(std::string_view weight) { return name_beside(weight, ".lora_B.weight"); }
std::string lora_magnitude_name(std::string_view weight) { return name_beside(weight, ".lora_magnitude_vector"); }

ValueId add_lora(Builder& build, ValueId x, ValueId y, const LoraLayer& layer, const LoraDropout& settings) {
  const std::string a_name = lora_a_name(layer.weight);
  const double bound = 1 / std::sqrt(static_cast<double>(layer.inputs));
  const ValueId a = declare(build, a_name, {layer.rank, layer.inputs}, {Initial::Kind::uniform, bound, layer.stream});
  const ValueId b = declare(build, lora_b_name(layer.weight), {layer.outputs, layer.rank}, {});
  if (settings.rate > 0) {
    const double factor = layer.scale / (1 - settings.rate);
    x = dropout(build, x, settings.random_key, settings.rows, {settings.rate, factor, random_site(a_name)});
  }
  ValueId low = linear(build, x, a);
  if (settings.rate == 0 && layer.scale != 1) low = scale(build, low, layer.scale);
  return add(build, y, linear(build, low, b));
}

}  // namespace headroom
