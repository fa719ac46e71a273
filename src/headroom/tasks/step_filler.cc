#include "headroom/tasks/step_filler.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"
#include "headroom/ops/embedding.h"

namespace headroom {
StepFiller::StepFiller(const Workspace& workspace, const StepShape& shape)
    : positions_(workspace.view<int32_t>(shape.of_tokens + "positions")),
      sequences_(workspace.view<int32_t>(shape.of_sequences + "sequences")),
      workspace_(workspace) {
  if (shape.cache_rows > 0) cache_range_ = workspace.view<int32_t>(shape.of_sequences + "cache_range");
  const std::string targets = shape.of_tokens + "targets";
  if (workspace.has(targets)) targets_ = workspace.view<int32_t>(targets);
  const std::string tokens = shape.of_tokens + "tokens";
  const std::string rows = tokens + std::string(kRowsSuffix);
  if (workspace.has(tokens)) tokens_ = workspace.view<int32_t>(tokens);
  if (workspace.has(rows)) rows_ = workspace.view<float>(rows);
}

void StepFiller::token(int64_t row, int32_t id, int64_t position, int32_t target) {
  put(row, id, position, target);
  if (!rows_.is_bound()) return;
  const std::span<float> all = rows_.all();
  const size_t features = all.size() / static_cast<size_t>(rows());
  workspace_.model()->table_row(Source::model)(id, all.subspan(static_cast<size_t>(row) * features, features));
}

void StepFiller::put(int64_t row, int32_t id, int64_t position, int32_t target) {
  if (tokens_.is_bound()) tokens_[row] = id;
  positions_[row] = static_cast<int32_t>(position);
  if (targets_.is_bound()) targets_[row] = target;
}

void StepFiller::leave_out(int64_t row, int64_t end) {
  for (; row < end; ++row) put(row, 0, 0, -1);
}

void StepFiller::sequence(int64_t first_row, int64_t tokens) { cached_sequence(first_row, tokens, first_row, 0); }

void StepFiller::cached_sequence(int64_t first_row, int64_t tokens, int64_t first_key, int64_t position) {
  if (tokens == 0) return;
  ensure(4 * sequence_count_ < sequences_.size(), "more sequences than were planned for");
  const std::array<int64_t, 4> sequence = {first_row, tokens, first_key, position};
  for (size_t i = 0; i < sequence.size(); ++i) {
    sequences_[4 * sequence_count_ + static_cast<int64_t>(i)] = static_cast<int32_t>(sequence[i]);
  }
  if (cache_range_.is_bound()) {
    const int64_t range = 2 * sequence_count_;
    cache_range_[range] = static_cast<int32_t>(first_key + position);
    cache_range_[range + 1] = static_cast<int32_t>(tokens);
  }
  ++sequence_count_;
}

void StepFiller::end_sequences() {
  sequences_.fill_from(4 * sequence_count_, 0);  // no queries
  if (cache_range_.is_bound()) cache_range_.fill_from(2 * sequence_count_, 0);
}

int64_t StepFiller::targets_that_count() const {
  return std::count_if(targets().begin(), targets().end(), [](int32_t target) { return target >= 0; });
}

}  // namespace headroom
