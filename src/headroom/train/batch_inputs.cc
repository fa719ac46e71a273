#include "headroom/train/batch_inputs.h"

#include <algorithm>
#include <array>

#include "headroom/models/rotary.h"

namespace headroom {
namespace {

template <class T>
std::span<T> elements_of(const Tensor& tensor) {
  return {tensor.as<T>(), static_cast<size_t>(tensor.elements())};
}

}  // namespace

BatchInputs::BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape)
    : shape_(shape),
      tokens_(elements_of<int32_t>(workspace.persistent("tokens"))),
      targets_(elements_of<int32_t>(workspace.persistent("targets"))),
      loss_range_(elements_of<int32_t>(workspace.persistent("loss_range"))),
      update_scalars_(elements_of<float>(workspace.persistent("update_scalars"))),
      row_(static_cast<size_t>(shape.seq_len)) {
  const int32_t row_tokens = static_cast<int32_t>(shape.seq_len - 1);
  const auto positions = elements_of<int32_t>(workspace.persistent("positions"));
  for (size_t t = 0; t < positions.size(); ++t) positions[t] = static_cast<int32_t>(t) % row_tokens;
  const auto sequences = elements_of<int32_t>(workspace.persistent("sequences"));
  for (int32_t row = 0; row < static_cast<int32_t>(shape.micro_rows); ++row) {
    const std::array<int32_t, 4> sequence = {row * row_tokens, row_tokens, row * row_tokens, 0};
    std::copy(sequence.begin(), sequence.end(), sequences.begin() + 4 * row);
  }
  fill_rotary_table(model.rotary_frequencies(), elements_of<float>(workspace.persistent("rotary_table")));
  elements_of<float>(workspace.persistent("loss_gradient"))[0] =
      static_cast<float>(1.0 / static_cast<double>(shape.predictions()));
}

int64_t BatchInputs::fill(const TokenBatches& batches, int64_t step, int64_t first_row) {
  const size_t row_tokens = static_cast<size_t>(shape_.seq_len - 1);
  const int64_t rows = std::min(shape_.micro_rows, batches.rows(step) - first_row);
  for (int64_t row = 0; row < shape_.micro_rows; ++row) {
    const auto tokens = tokens_.subspan(static_cast<size_t>(row) * row_tokens, row_tokens);
    const auto targets = targets_.subspan(static_cast<size_t>(row) * row_tokens, row_tokens);
    if (row < rows) {
      batches.read_row(step, first_row + row, row_.data());
      std::copy(row_.begin(), row_.end() - 1, tokens.begin());
      std::copy(row_.begin() + 1, row_.end(), targets.begin());
    } else {
      std::fill(tokens.begin(), tokens.end(), 0);
      std::fill(targets.begin(), targets.end(), -1);
    }
  }
  return std::max<int64_t>(rows, 0) * static_cast<int64_t>(row_tokens);
}

void BatchInputs::set_micro_batch(int64_t index) {
  loss_range_[0] = static_cast<int32_t>(index * shape_.micro_tokens());
  loss_range_[1] = static_cast<int32_t>(shape_.micro_tokens());
}

void BatchInputs::set_update_scalars(const std::array<float, 3>& scalars) {
  std::copy(scalars.begin(), scalars.end(), update_scalars_.begin());
}

}  // namespace headroom
