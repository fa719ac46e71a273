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

int64_t blocks_of(const Tensor& tensor) { return (tensor.elements() + kSumBlock - 1) / kSumBlock; }

// Block `block` of kSumBlock elements: 16 lanes of step(element, lane).
template <class Step>
double sum_of_block(const Tensor& tensor, int64_t block, Step step) {
  const float* from = tensor.as<const float>() + block * kSumBlock;
  return sum_16_lanes<double>(std::min(kSumBlock, tensor.elements() - block * kSumBlock),
                              [&](int64_t i, double lane) { return step(static_cast<double>(from[i]), lane); });
}

template <class Step>
double sum_of_blocks(const Tensor& tensor, Step step) {
  return tree_sum(0, blocks_of(tensor), [&](int64_t block) { return sum_of_block(tensor, block, step); });
}

double add_square(double x, double lane) { return std::fma(x, x, lane); }

}  // namespace

void sum(const Invocation& call) {
  *call.outputs[0].as<double>() = sum_of_blocks(call.inputs[0], [](double x, double lane) { return lane + x; });
}

void squared_norm(const Invocation& call) { *call.outputs[0].as<double>() = sum_of_blocks(call.inputs[0], add_square); }

void squared_norms_of_blocks(const Invocation& call) {
  for (int64_t block = 0; block < blocks_of(call.inputs[0]); ++block) {
    call.outputs[0].as<double>()[block] = sum_of_block(call.inputs[0], block, add_square);
  }
}

void add_block_sums(const Invocation& call) {
  const double* sums = call.inputs[0].as<const double>();
  *call.outputs[0].as<double>() = tree_sum(0, call.inputs[0].elements(), [&](int64_t block) { return sums[block]; });
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
HEADROOM_KERNEL(squared_norms_of_blocks);
HEADROOM_KERNEL(add_block_sums);
HEADROOM_KERNEL(clip_scale);
