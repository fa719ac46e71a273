#include "headroom/models/step_inputs.h"

#include "headroom/models/model.h"

namespace headroom {

StepInputs declare_step_inputs(Builder& build, const Model& model, const StepShape& shape) {
  const auto input = [&](const std::string& name, const Type& type) { return build.input(name, type, Role::input); };
  const auto head_dim = 2 * static_cast<int64_t>(model.rotary_frequencies().size());
  StepInputs inputs;
  inputs.tokens = input(shape.of_tokens + "tokens", i32({shape.tokens}));
  inputs.positions = input(shape.of_tokens + "positions", i32({shape.tokens}));
  inputs.sequences = input(shape.of_sequences + "sequences", i32({shape.sequences, 4}));
  inputs.rotary_table = input(std::string(kRotaryTable), f32({shape.positions, head_dim}));
  if (shape.cache_rows == 0) return inputs;
  inputs.cache_range =
      input(shape.of_sequences + "cache_range", shape.sequences == 1 ? i32({2}) : i32({shape.sequences, 2}));
  inputs.cache_rows = shape.cache_rows;
  inputs.cache_kind = shape.cache_kind;
  return inputs;
}

}  // namespace headroom
