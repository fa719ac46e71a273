#include "headroom/generate/model_comparison.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

std::string of_reference(std::string_view name) { return std::string(kReferencePrefix) + std::string(name); }

}  // namespace

ModelComparison::ModelComparison(Workspace& workspace, const Model& reference, const EvaluationShape& shape)
    : reference_(workspace.at(of_reference("evaluation"))), comparison_(workspace.at("comparison")) {
  fill_constants(reference, workspace, kReferencePrefix);
  logit_rows_ = {workspace.persistent("logit_rows").as<int32_t>(), static_cast<size_t>(shape.logit_rows)};
}

void ModelComparison::add_batch(std::span<const int32_t> targets) {
  reference_.run();
  const float* losses = reference_.tensor(of_reference("losses")).as<const float>();
  size_t waiting = 0;
  for (size_t t = 0; t < targets.size(); ++t) {
    if (targets[t] < 0) continue;
    reference_loss_sum_ += static_cast<double>(losses[t]);
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

void ModelComparison::compare(size_t count) {
  std::fill(logit_rows_.begin() + static_cast<ptrdiff_t>(count), logit_rows_.end(), 0);
  comparison_.run();
  const float* kl = comparison_.tensor("kl_divergence").as<const float>();
  const int32_t* top = comparison_.tensor("top").as<const int32_t>();
  const int32_t* reference_top = comparison_.tensor("reference_top").as<const int32_t>();
  for (size_t r = 0; r < count; ++r) {
    kl_divergence_sum_ += static_cast<double>(kl[r]);
    largest_kl_divergence_ = std::max(largest_kl_divergence_, static_cast<double>(kl[r]));
    equal_tops_ += top[r] == reference_top[r] ? 1 : 0;
  }
  predictions_ += static_cast<int64_t>(count);
}

}  // namespace headroom
