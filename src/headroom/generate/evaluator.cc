#include "headroom/generate/evaluator.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/models/rotary.h"

namespace headroom {
namespace {

template <class T>
std::span<T> elements_of(const Tensor& tensor) {
  return {tensor.as<T>(), static_cast<size_t>(tensor.elements())};
}

}  // namespace

Evaluator::Evaluator(Workspace& workspace, const Model& model, const EvaluationShape& shape, LogitSink logits)
    : shape_(shape),
      evaluation_(workspace.at("evaluation")),
      logits_(workspace.find("logits")),
      tokens_(elements_of<int32_t>(workspace.persistent("tokens"))),
      targets_(elements_of<int32_t>(workspace.persistent("targets"))),
      sequences_(elements_of<int32_t>(workspace.persistent("sequences"))),
      sink_(std::move(logits)) {
  const auto positions = elements_of<int32_t>(workspace.persistent("positions"));
  for (size_t t = 0; t < positions.size(); ++t) {
    positions[t] = static_cast<int32_t>(t % static_cast<size_t>(shape.row_tokens));
  }
  fill_rotary_table(model.rotary_frequencies(), elements_of<float>(workspace.persistent("rotary_table")));
  if (logits_ != nullptr) logit_rows_ = elements_of<int32_t>(workspace.persistent("logit_rows"));
  if (shape.logit_rows > 0) {
    const auto range = elements_of<int32_t>(workspace.persistent("hidden_range"));
    range[0] = 0;
    range[1] = static_cast<int32_t>(shape.tokens());
  }
}

void Evaluator::add_row(std::span<const int32_t> ids, int64_t first_counted) {
  row_targets_.assign(static_cast<size_t>(shape_.row_tokens), -1);
  for (size_t t = static_cast<size_t>(std::max<int64_t>(first_counted, 1)); t < ids.size(); ++t) {
    row_targets_[t - 1] = ids[t];
  }
  add_row(ids, row_targets_);
}

void Evaluator::add_row(std::span<const int32_t> ids, std::span<const int32_t> targets) {
  const int64_t length = static_cast<int64_t>(ids.size());
  ensure(length >= 1 && length <= shape_.row_tokens + 1, "a row of {} ids for {} tokens", length, shape_.row_tokens);
  const int64_t begin = rows_ * shape_.row_tokens;
  const int64_t used = std::min(length, shape_.row_tokens);
  for (int64_t t = 0; t < shape_.row_tokens; ++t) {
    const bool counts = t < static_cast<int64_t>(targets.size()) && targets[static_cast<size_t>(t)] >= 0;
    tokens_[static_cast<size_t>(begin + t)] = t < used ? ids[static_cast<size_t>(t)] : 0;
    targets_[static_cast<size_t>(begin + t)] = counts ? targets[static_cast<size_t>(t)] : -1;
    predictions_ += counts ? 1 : 0;
  }
  const int32_t first = static_cast<int32_t>(begin);
  const std::array<int32_t, 4> sequence = {first, static_cast<int32_t>(used), first, 0};
  std::copy(sequence.begin(), sequence.end(), sequences_.begin() + 4 * rows_);
  ++rows_seen_;
  tokens_seen_ += used;
  if (++rows_ == shape_.rows) run();
}

void Evaluator::finish() {
  if (rows_ > 0) run();
}

void Evaluator::run() {
  const size_t filled = static_cast<size_t>(rows_ * shape_.row_tokens);
  std::fill(tokens_.begin() + static_cast<ptrdiff_t>(filled), tokens_.end(), 0);
  std::fill(targets_.begin() + static_cast<ptrdiff_t>(filled), targets_.end(), -1);
  std::fill(sequences_.begin() + 4 * rows_, sequences_.end(), 0);  // no queries
  evaluation_.run();
  const auto losses = elements_of<const float>(evaluation_.tensor("losses"));
  for (size_t t = 0; t < filled; ++t) {
    if (targets_[t] >= 0) loss_sum_ += static_cast<double>(losses[t]);
  }
  if (!std::isfinite(loss_sum_)) {
    throw InvalidInput("the losses are no finite numbers after {} tokens; the weights are damaged", tokens_seen_);
  }
  if (logits_ != nullptr) pass_logits();
  if (batch_sink_) batch_sink_(targets_.first(filled));
  rows_ = 0;
}

void Evaluator::pass_logits() {
  const int64_t count = rows_ * shape_.row_tokens;
  for (int64_t first = 0; first < count; first += shape_.logit_rows) {
    const int64_t rows = std::min(shape_.logit_rows, count - first);
    for (int64_t r = 0; r < shape_.logit_rows; ++r) {
      logit_rows_[static_cast<size_t>(r)] = static_cast<int32_t>(r < rows ? first + r : 0);
    }
    logits_->run();
    sink_(logits_->tensor("logits").as<float>(), rows);
  }
}

}  // namespace headroom
