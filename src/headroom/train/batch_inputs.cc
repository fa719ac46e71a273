#include "headroom/train/batch_inputs.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "headroom/models/rotary.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

template <class T>
std::span<T> elements_of(const Tensor& tensor) {
  return {tensor.as<T>(), static_cast<size_t>(tensor.elements())};
}

// As the target of the token before it, which it must not begin behind.
bool is_predicted(int32_t token) { return marked_counts(token) && !marked_begins(token); }

}  // namespace

BatchInputs::BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape)
    : shape_(shape),
      tokens_(elements_of<int32_t>(workspace.persistent("tokens"))),
      targets_(elements_of<int32_t>(workspace.persistent("targets"))),
      positions_(elements_of<int32_t>(workspace.persistent("positions"))),
      sequences_(elements_of<int32_t>(workspace.persistent("sequences"))),
      loss_gradient_(elements_of<float>(workspace.persistent("loss_gradient"))),
      loss_range_(elements_of<int32_t>(workspace.persistent("loss_range"))),
      update_scalars_(elements_of<float>(workspace.persistent("update_scalars"))),
      row_(static_cast<size_t>(shape.seq_len)) {
  if (const PersistentValue* scale = workspace.plan().find("loss_scale")) {
    loss_scale_ = elements_of<float>(workspace.persistent(*scale));
  }
  if (const PersistentValue* key = workspace.plan().find(kRandomKeyName)) {
    random_key_ = elements_of<int32_t>(workspace.persistent(*key));
  }
  fill_rotary_table(model.rotary_frequencies(), elements_of<float>(workspace.persistent("rotary_table")));
}

int64_t BatchInputs::begin_update(const TokenBatches& batches, int64_t step, float loss_scale) {
  int64_t predictions = 0;
  for (int64_t row = 0; row < batches.rows(step); ++row) {
    batches.read_row(step, row, row_.data());
    predictions += std::count_if(row_.begin() + 1, row_.end(), is_predicted);
  }
  const double scale = static_cast<double>(loss_scale);
  loss_gradient_[0] = predictions == 0 ? 0.0f : static_cast<float>(scale / static_cast<double>(predictions));
  if (!loss_scale_.empty()) loss_scale_[0] = loss_scale;
  return predictions;
}

int64_t BatchInputs::fill(const TokenBatches& batches, int64_t step, int64_t first_row) {
  const int64_t rows = std::min(shape_.micro_rows, batches.rows(step) - first_row);
  sequence_count_ = 0;
  for (int64_t row = 0; row < shape_.micro_rows; ++row) {
    if (row < rows) {
      batches.read_row(step, first_row + row, row_.data());
    } else {
      std::fill(row_.begin(), row_.end(), kPadding);
    }
    fill_row(row);
  }
  std::fill(sequences_.begin() + 4 * sequence_count_, sequences_.end(), 0);  // no queries
  return std::count_if(targets_.begin(), targets_.end(), [](int32_t target) { return target >= 0; });
}

// A sequence is a stretch of the row without a beginning inside. Its last token is in it only if it predicts the last
// token of the row.
void BatchInputs::fill_row(int64_t row) {
  const int64_t tokens = shape_.seq_len - 1;
  const int64_t first = row * shape_.row_places();
  int64_t begin = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    const int32_t token = row_[static_cast<size_t>(t)];
    const int32_t next = row_[static_cast<size_t>(t + 1)];
    if (marked_begins(token)) begin = t;
    const size_t at = static_cast<size_t>(first + t);
    tokens_[at] = token == kPadding ? 0 : marked_id(token);
    targets_[at] = is_predicted(next) ? marked_id(next) : -1;
    positions_[at] = static_cast<int32_t>(t - begin);
    if (marked_begins(next)) {
      add_sequence(first + begin, t - begin);
    } else if (t + 1 == tokens) {
      add_sequence(first + begin, tokens - begin);
    }
  }
  for (int64_t t = tokens; t < shape_.row_places(); ++t) {
    const size_t at = static_cast<size_t>(first + t);
    tokens_[at] = 0;
    targets_[at] = -1;
    positions_[at] = 0;
  }
}

void BatchInputs::add_sequence(int64_t first_token, int64_t queries) {
  if (queries == 0) return;
  ensure(4 * sequence_count_ < static_cast<int64_t>(sequences_.size()), "more sequences than were planned for");
  const int32_t first = static_cast<int32_t>(first_token);
  const std::array<int32_t, 4> sequence = {first, static_cast<int32_t>(queries), first, 0};
  std::copy(sequence.begin(), sequence.end(), sequences_.begin() + 4 * sequence_count_);
  ++sequence_count_;
}

void BatchInputs::set_micro_batch(int64_t index) {
  loss_range_[0] = static_cast<int32_t>(index * shape_.micro_tokens());
  loss_range_[1] = static_cast<int32_t>(shape_.micro_tokens());
}

void BatchInputs::set_update_scalars(const std::array<float, 3>& scalars) {
  std::copy(scalars.begin(), scalars.end(), update_scalars_.begin());
}

void BatchInputs::set_random_key(uint64_t seed, int64_t step) {
  if (random_key_.empty()) return;
  const uint64_t words[] = {seed, static_cast<uint64_t>(step)};
  for (size_t i = 0; i < random_key_.size(); ++i) {
    random_key_[i] = static_cast<int32_t>(static_cast<uint32_t>(words[i / 2] >> (i % 2 * 32)));
  }
}

}  // namespace headroom
