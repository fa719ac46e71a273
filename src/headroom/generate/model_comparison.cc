#include "headroom/generate/model_comparison.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/models/constants.h"

namespace headroom {
namespace {

std::string of_reference(std::string_view name) { return std::string(kReferencePrefix) + std::string(name); }

}  // namespace

ModelComparison::ModelComparison(Workspace& workspace, const Model& reference)
    : reference_(workspace.at(of_reference("evaluation"))),
      comparison_(workspace.at("comparison")),
      logit_rows_(workspace.view<int32_t>("logit_rows")),
      losses_(reference_.result<float>(of_reference("losses"))),
      kl_divergences_(comparison_.result<float>("kl_divergence")),
      tops_(comparison_.result<int32_t>("top")),
      reference_tops_(comparison_.result<int32_t>("reference_top")) {
  fill_constants(reference, workspace, kReferencePrefix);
}

void ModelComparison::add_batch(std::span<const int32_t> targets) {
  reference_.run();
  const auto tokens = static_cast<int64_t>(targets.size());
  const auto counts = [&](int64_t t) { return targets[static_cast<size_t>(t)] >= 0; };
  for (int64_t t = 0; t < tokens; ++t) {
    if (counts(t)) reference_loss_sum_ += static_cast<double>(losses_[t]);
  }
  int64_t waiting = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    if (!counts(t)) continue;
    logit_rows_[waiting++] = static_cast<int32_t>(t);
    if (waiting < logit_rows_.size()) continue;
    compare(waiting);
    waiting = 0;
  }
  if (waiting > 0) compare(waiting);
  if (!std::isfinite(reference_loss_sum_)) {
    throw InvalidInput("the losses of the reference are no finite numbers; its weights are damaged");
  }
}

void ModelComparison::compare(int64_t count) {
  logit_rows_.fill_from(count, 0);
  comparison_.run();
  for (int64_t r = 0; r < count; ++r) {
    const auto divergence = static_cast<double>(kl_divergences_[r]);
    kl_divergence_sum_ += divergence;
    largest_kl_divergence_ = std::max(largest_kl_divergence_, divergence);
    equal_tops_ += tops_[r] == reference_tops_[r] ? 1 : 0;
  }
  predictions_ += count;
}

}  // namespace headroom
