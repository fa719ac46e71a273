#include "headroom/train/sample_inputs.h"

#include <algorithm>
#include <array>

#include "headroom/models/rotary.h"

namespace headroom {

void fill_sample_inputs(const Model& model, const TrainingShape& shape, const Workspace& workspace) {
  const auto integers = [&](const char* name) { return workspace.persistent(name).as<int32_t>(); };
  const int32_t row_tokens = static_cast<int32_t>(shape.seq_len - 1);
  const int64_t vocabulary = model.vocabulary();
  int32_t* tokens = integers("tokens");
  int32_t* targets = integers("targets");
  int32_t* positions = integers("positions");
  for (int64_t t = 0; t < shape.micro_tokens(); ++t) {
    tokens[t] = static_cast<int32_t>(t * 7919 % vocabulary);
    targets[t] = static_cast<int32_t>((t + 1) * 7919 % vocabulary);
    positions[t] = static_cast<int32_t>(t % row_tokens);
  }
  for (int32_t row = 0; row < static_cast<int32_t>(shape.micro_rows); ++row) {
    const std::array<int32_t, 4> sequence = {row * row_tokens, row_tokens, row * row_tokens, 0};
    std::copy(sequence.begin(), sequence.end(), integers("sequences") + 4 * row);
  }
  integers("loss_range")[1] = static_cast<int32_t>(shape.micro_tokens());
  *workspace.persistent("loss_gradient").as<float>() = 1.0f / static_cast<float>(shape.predictions());
  const std::array<float, 3> scalars = {1e-5f, 1e-5f, 1.0f};
  std::copy(scalars.begin(), scalars.end(), workspace.persistent("update_scalars").as<float>());
  const Tensor table = workspace.persistent("rotary_table");
  fill_rotary_table(model.rotary_frequencies(), {table.as<float>(), static_cast<size_t>(table.elements())});
}

}  // namespace headroom
