#include "headroom/train/batch_inputs.h"

#include <algorithm>
#include <array>

#include "headroom/data/marked_token.h"
#include "headroom/models/constants.h"
#include "headroom/ops/random_key.h"

namespace headroom {
BatchInputs::BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape)
    : shape_(shape),
      model_(model),
      task_(task_of(model)),
      step_(workspace, shape.step()),
      loss_gradient_(workspace.view<float>("loss_gradient")),
      loss_range_(workspace.view<int32_t>("loss_range")),
      update_scalars_(workspace.view<float>("update_scalars")),
      row_(static_cast<size_t>(shape.seq_len)) {
  if (workspace.has("loss_scale")) loss_scale_ = workspace.view<float>("loss_scale");
  if (workspace.has(kRandomKeyName)) random_key_ = workspace.view<int32_t>(kRandomKeyName);
  fill_constants(model, workspace);
}

int64_t BatchInputs::begin_update(const TokenBatches& batches, int64_t step, float loss_scale) {
  int64_t predictions = 0;
  for (int64_t row = 0; row < batches.rows(step); ++row) {
    batches.read_row(step, row, row_.data());
    predictions += std::count_if(row_.begin() + 1, row_.end(), is_predicted);
  }
  const double scale = static_cast<double>(loss_scale);
  loss_gradient_[0] = predictions == 0 ? 0.0f : static_cast<float>(scale / static_cast<double>(predictions));
  if (loss_scale_.is_bound()) loss_scale_[0] = loss_scale;
  return predictions;
}

template <class ReadRow>
int64_t BatchInputs::fill_rows(ReadRow&& read_row) {
  const int64_t places = shape_.row_places();
  step_.begin_sequences();
  for (int64_t row = 0; row < shape_.micro_rows; ++row) {
    read_row(row);
    task_.fill_row(step_, row * places, places, row_);
  }
  step_.end_sequences();
  return step_.targets_that_count();
}

int64_t BatchInputs::fill(const TokenBatches& batches, int64_t step, int64_t first_row) {
  const bool is_there = step < batches.steps().value_or(step + 1);
  const int64_t rows = is_there ? std::min(shape_.micro_rows, batches.rows(step) - first_row) : 0;
  return fill_rows([&](int64_t row) {
    if (row < rows) {
      batches.read_row(step, first_row + row, row_.data());
    } else {
      std::fill(row_.begin(), row_.end(), kPadding);
    }
  });
}

void BatchInputs::fill_sample() {
  fill_rows([&](int64_t row) { task_.sample_row(model_, row, row_); });
  set_micro_batch(0);
  loss_gradient_[0] = 1.0f / static_cast<float>(shape_.predictions());
  set_update_scalars({1e-5f, 1e-5f, 1.0f});
}

void BatchInputs::set_micro_batch(int64_t index) {
  const int64_t before = shape_.place.rank * shape_.micro_batches + index;
  loss_range_[0] = static_cast<int32_t>(before * shape_.micro_tokens());
  loss_range_[1] = static_cast<int32_t>(shape_.micro_tokens());
}

void BatchInputs::set_update_scalars(const std::array<float, 3>& scalars) { update_scalars_.write(scalars); }

void BatchInputs::set_random_key(uint64_t seed, int64_t step) {
  if (!random_key_.is_bound()) return;
  const uint64_t words[] = {seed, static_cast<uint64_t>(step)};
  for (int64_t i = 0; i < random_key_.size(); ++i) {
    random_key_[i] = static_cast<int32_t>(static_cast<uint32_t>(words[i / 2] >> (i % 2 * 32)));
  }
}

}  // namespace headroom
