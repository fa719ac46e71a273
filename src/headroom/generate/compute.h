// --compute: what products with quantised weights compute in (docs/arithmetic.md).
#pragma once

#include <optional>
#include <string_view>

#include "headroom/models/model.h"
#include "headroom/passes/pass.h"

namespace headroom {

enum class Compute : uint8_t { f32, int8 };
std::string_view name_of(Compute compute);

// "f32", "int8", or "auto": int8 where the model keeps weights in grouped formats. Throws InvalidInput for another
// word, and for int8 where it keeps none.
Compute parse_compute(std::string_view flag, const Model& model);

// The pass that makes it so; none for f32.
std::optional<Pass> pass_of(Compute compute);

}  // namespace headroom
