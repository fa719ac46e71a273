#include "headroom/generate/evaluator.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/models/constants.h"
#include "headroom/ops/embedding.h"

namespace headroom {
Evaluator::Evaluator(Workspace& workspace, const Model& model, const EvaluationShape& shape, LogitSink logits)
    : shape_(shape),
      workspace_(workspace),
      evaluation_(workspace.at("evaluation")),
      logits_(workspace.find("logits")),
      step_(workspace, shape.step()),
      losses_(evaluation_.result<float>("losses")),
      sink_(std::move(logits)) {
  fill_constants(model, workspace);
  const std::string of_reference = fmt::format("{}sequences", kReferencePrefix);
  if (workspace.has(of_reference)) reference_sequences_ = workspace.view<int32_t>(of_reference);
  const std::string rows_of_reference = fmt::format("{}tokens{}", kReferencePrefix, kRowsSuffix);
  if (workspace.has(rows_of_reference)) reference_rows_ = workspace.view<float>(rows_of_reference);
  if (logits_ != nullptr) logit_rows_ = workspace.view<int32_t>("logit_rows");
  if (shape.logit_rows > 0) {
    const View<int32_t> range = workspace.view<int32_t>("hidden_range");
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
  if (rows_ == 0) step_.begin_sequences();
  for (int64_t t = 0; t < used; ++t) {
    const int32_t target = t < static_cast<int64_t>(targets.size()) ? targets[static_cast<size_t>(t)] : -1;
    step_.token(begin + t, ids[static_cast<size_t>(t)], t, std::max(target, -1));
    predictions_ += target >= 0 ? 1 : 0;
  }
  step_.leave_out(begin + used, begin + shape_.row_tokens);
  step_.cached_sequence(begin, used, rows_ * shape_.sequence_rows(), 0);
  add_to_reference(ids.first(static_cast<size_t>(used)));
  ++rows_seen_;
  tokens_seen_ += used;
  if (++rows_ == shape_.rows) run();
}

void Evaluator::add_to_reference(std::span<const int32_t> ids) {
  const int64_t begin = rows_ * shape_.row_tokens;
  if (reference_sequences_.is_bound()) {
    const std::array<int64_t, 4> numbers = {begin, static_cast<int64_t>(ids.size()), begin, 0};
    for (int64_t i = 0; i < 4; ++i) {
      reference_sequences_[4 * rows_ + i] = static_cast<int32_t>(numbers[static_cast<size_t>(i)]);
    }
  }
  if (!reference_rows_.is_bound()) return;
  const std::span<float> all = reference_rows_.all();
  const size_t features = all.size() / static_cast<size_t>(shape_.tokens());
  for (size_t t = 0; t < ids.size(); ++t) {
    const size_t row = static_cast<size_t>(begin) + t;
    workspace_.model()->table_row(Source::reference)(ids[t], all.subspan(row * features, features));
  }
}

void Evaluator::finish() {
  if (rows_ > 0) run();
}

void Evaluator::run() {
  const size_t filled = static_cast<size_t>(rows_ * shape_.row_tokens);
  step_.leave_out(static_cast<int64_t>(filled), step_.rows());
  step_.end_sequences();
  if (reference_sequences_.is_bound()) reference_sequences_.fill_from(4 * rows_, 0);
  evaluation_.run();
  for (size_t t = 0; t < filled; ++t) {
    if (step_.targets()[t] >= 0) loss_sum_ += static_cast<double>(losses_[static_cast<int64_t>(t)]);
  }
  if (!std::isfinite(loss_sum_)) {
    throw InvalidInput("the losses are no finite numbers after {} tokens; the weights are damaged", tokens_seen_);
  }
  if (logits_ != nullptr) pass_logits();
  if (batch_sink_) batch_sink_(step_.targets().first(filled));
  rows_ = 0;
}

void Evaluator::pass_logits() {
  int64_t waiting = 0;
  const auto pass = [&] {
    if (waiting == 0) return;
    logit_rows_.fill_from(waiting, 0);
    logits_->run();
    sink_(logits_->result<float>("logits").all().data(), waiting);
    waiting = 0;
  };
  for (int64_t row = 0; row < rows_ * shape_.row_tokens; ++row) {
    if (shape_.logits_of_targets && step_.targets()[static_cast<size_t>(row)] < 0) continue;
    logit_rows_[waiting++] = static_cast<int32_t>(row);
    if (waiting == logit_rows_.size()) pass();
  }
  pass();
}

}  // namespace headroom
