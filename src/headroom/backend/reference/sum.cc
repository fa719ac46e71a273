// Sums of whole values in f64 (ops/sum.h), and the global norm made of them (ops/clip_scale.h).
#include <algorithm>
#include <limits>

#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"
#include "headroom/backend/sum_blocks.h"

namespace headroom::reference {
namespace {

// leaf(0) + ... + leaf(count - 1) as a balanced binary tree: the left part is the largest power of two below count.
template <class Leaf>
double tree_sum(int64_t first, int64_t count, const Leaf& leaf) {
  if (count == 0) return 0.0;
  if (count == 1) return leaf(first);
  int64_t left = 1;
  while (2 * left < count) left *= 2;
  const double left_sum = tree_sum(first, left, leaf);
  return left_sum + tree_sum(first + left, count - left, leaf);
}

// Blocks of kSumBlock elements, 16 lanes of step(element, lane) in each.
template <class Step>
double sum_of_blocks(const Tensor& tensor, Step step) {
  const float* x = tensor.as<const float>();
  const int64_t elements = tensor.elements();
  return tree_sum(0, (elements + kSumBlock - 1) / kSumBlock, [&](int64_t block) {
    const float* from = x + block * kSumBlock;
    return sum_16_lanes<double>(std::min(kSumBlock, elements - block * kSumBlock),
                                [&](int64_t i, double lane) { return step(static_cast<double>(from[i]), lane); });
  });
}

}  // namespace

void sum(const Invocation& call) {
  *call.outputs[0].as<double>() = sum_of_blocks(call.inputs[0], [](double x, double lane) { return lane + x; });
}

void squared_norm(const Invocation& call) {
  *call.outputs[0].as<double>() =
      sum_of_blocks(call.inputs[0], [](double x, double lane) { return std::fma(x, x, lane); });
}

// norm = sqrt(sum of the inputs); scale = min(1, max_norm / (norm + 1e-6)), or 1 without a max_norm. With `unscales`
// the next input is the loss scale: both are divided by it, and where the norm is no number, scale is NaN: skip. With
// `keeps` the last input is only the storage of scale.
void clip_scale(const Invocation& call) {
  const double max_norm = call.attributes.real("max_norm");
  const bool unscales = call.attributes.has("unscales");
  const auto inputs = call.inputs.first(call.inputs.size() - (call.attributes.has("keeps") ? 1 : 0));
  const double loss_scale = unscales ? static_cast<double>(*inputs.back().as<const float>()) : 1.0;
  const int64_t norms = static_cast<int64_t>(inputs.size()) - (unscales ? 1 : 0);
  const double sum =
      tree_sum(0, norms, [&](int64_t index) { return *inputs[static_cast<size_t>(index)].as<const double>(); });
  const double norm = std::sqrt(sum) / loss_scale;
  const double ratio = max_norm / (norm + 1e-6);
  const double factor = (max_norm == 0 || ratio > 1 ? 1.0 : ratio) / loss_scale;
  *call.outputs[0].as<float>() = static_cast<float>(norm);
  *call.outputs[1].as<float>() =
      unscales && !std::isfinite(norm) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(factor);
}

int64_t sum_scratch(const TypedNode&, int) { return sum_scratch_bytes(); }

}  // namespace headroom::reference

HEADROOM_KERNEL(sum, sum_scratch);
HEADROOM_KERNEL(squared_norm, sum_scratch);
HEADROOM_KERNEL(clip_scale);
