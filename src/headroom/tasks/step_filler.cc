#include "headroom/tasks/step_filler.h"

#include <algorithm>
#include <array>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

std::span<int32_t> integers(const Workspace& workspace, const std::string& name) {
  const Tensor tensor = workspace.persistent(name);
  return {tensor.as<int32_t>(), static_cast<size_t>(tensor.elements())};
}

}  // namespace

StepFiller::StepFiller(const Workspace& workspace, const StepShape& shape)
    : tokens_(integers(workspace, shape.of_tokens + "tokens")),
      positions_(integers(workspace, shape.of_tokens + "positions")),
      sequences_(integers(workspace, shape.of_sequences + "sequences")) {
  if (shape.cache_rows > 0) cache_range_ = integers(workspace, shape.of_sequences + "cache_range");
  const std::string targets = shape.of_tokens + "targets";
  if (workspace.plan().find(targets) != nullptr) targets_ = integers(workspace, targets);
}

void StepFiller::token(int64_t row, int32_t id, int64_t position, int32_t target) {
  const auto at = static_cast<size_t>(row);
  tokens_[at] = id;
  positions_[at] = static_cast<int32_t>(position);
  if (!targets_.empty()) targets_[at] = target;
}

void StepFiller::leave_out(int64_t row, int64_t end) {
  for (; row < end; ++row) token(row, 0, 0);
}

void StepFiller::sequence(int64_t first_row, int64_t tokens) { cached_sequence(first_row, tokens, first_row, 0); }

void StepFiller::cached_sequence(int64_t first_row, int64_t tokens, int64_t first_key, int64_t position) {
  if (tokens == 0) return;
  ensure(4 * sequence_count_ < static_cast<int64_t>(sequences_.size()), "more sequences than were planned for");
  const std::array<int64_t, 4> sequence = {first_row, tokens, first_key, position};
  for (size_t i = 0; i < sequence.size(); ++i) {
    sequences_[static_cast<size_t>(4 * sequence_count_) + i] = static_cast<int32_t>(sequence[i]);
  }
  if (!cache_range_.empty()) {
    const size_t range = static_cast<size_t>(2 * sequence_count_);
    cache_range_[range] = static_cast<int32_t>(first_key + position);
    cache_range_[range + 1] = static_cast<int32_t>(tokens);
  }
  ++sequence_count_;
}

void StepFiller::end_sequences() {
  std::fill(sequences_.begin() + 4 * sequence_count_, sequences_.end(), 0);  // no queries
  if (!cache_range_.empty()) std::fill(cache_range_.begin() + 2 * sequence_count_, cache_range_.end(), 0);
}

int64_t StepFiller::targets_that_count() const {
  return std::count_if(targets_.begin(), targets_.end(), [](int32_t target) { return target >= 0; });
}

}  // namespace headroom
