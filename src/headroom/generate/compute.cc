#include "headroom/generate/compute.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/passes/int8_products.h"

namespace headroom {

std::string_view name_of(Compute compute) { return compute == Compute::int8 ? "int8" : "f32"; }

Compute parse_compute(std::string_view flag, const Model& model) {
  if (flag == "f32") return Compute::f32;
  if (flag != "int8" && flag != "auto") throw InvalidInput("--compute {}: expected f32, int8 or auto", flag);
  const WeightFormats formats = model.stored_formats();
  const std::vector<Parameter> parameters = model.parameters();
  const bool has_groups = std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& parameter) {
    return as_grouped(formats(parameter.name)) != nullptr;
  });
  if (has_groups) return Compute::int8;
  if (flag == "auto") return Compute::f32;
  throw InvalidInput(
      "--compute int8: the model keeps no weights in whole numbers; expected one that headroom quantize wrote");
}

std::optional<Pass> pass_of(Compute compute) {
  if (compute == Compute::f32) return std::nullopt;
  return Pass{"int8_products", int8_products, false};
}

}  // namespace headroom
