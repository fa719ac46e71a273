// Sums of whole values in f64 (ops/sum.h), and the global norm made of them (ops/clip_scale.h). Threads take whole
// subtrees of the tree over the blocks, so that the sum does not depend on their number.
#include "headroom/backend/sum_blocks.h"

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Leaves added as a balanced binary tree whose left part is the largest power of two below their number, while they
// come in order: level i holds the sum of 2^i leaves where bit i of their number is set.
class TreeSum {
 public:
  void add(double leaf) {
    int level = 0;
    for (; (count_ >> level & 1) != 0; ++level) leaf = levels_[level] + leaf;
    levels_[level] = leaf;
    ++count_;
  }

  double total() const {
    double sum = 0;
    bool is_first = true;
    for (int level = 0; level < 63; ++level) {
      if ((count_ >> level & 1) == 0) continue;
      sum = is_first ? levels_[level] : levels_[level] + sum;
      is_first = false;
    }
    return sum;
  }

 private:
  int64_t count_ = 0;
  double levels_[63];
};

// step(elements, lanes) -> lanes.
template <class Step>
HEADROOM_INLINE double block_sum(const float* from, int64_t count, Step step) {
  F64x16 lanes(0.0);
  for_each_group(0, count, [&](int64_t i, auto n) { lanes = step(to_f64(load(from + i, n)), lanes); });
  return sum(lanes);
}

template <class Step>
HEADROOM_INLINE void sum_of_blocks(const Invocation& call, Step step) {
  const float* x = call.inputs[0].as<const float>();
  const int64_t elements = call.inputs[0].elements();
  const int64_t subtree = sum_subtree_elements(elements);
  const int64_t subtrees = (elements + subtree - 1) / subtree;
  double* sums = reinterpret_cast<double*>(call.scratch.data());
  call.threads.split(subtrees, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t last = std::min(elements, (index + 1) * subtree);
      TreeSum tree;
      for (int64_t i = index * subtree; i < last; i += kSumBlock) {
        tree.add(block_sum(x + i, std::min(kSumBlock, last - i), step));
      }
      sums[index] = tree.total();
    }
  });
  TreeSum tree;
  for (int64_t index = 0; index < subtrees; ++index) tree.add(sums[index]);
  *call.outputs[0].as<double>() = tree.total();
}

}  // namespace

void sum(const Invocation& call) {
  sum_of_blocks(call, [](F64x16 x, F64x16 lanes) { return lanes + x; });
}

void squared_norm(const Invocation& call) {
  sum_of_blocks(call, [](F64x16 x, F64x16 lanes) { return fma(x, x, lanes); });
}

void squared_norms_of_blocks(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  const int64_t elements = call.inputs[0].elements();
  double* sums = call.outputs[0].as<double>();
  call.threads.split(call.outputs[0].elements(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kSumBlock;
      sums[block] = block_sum(x + first, std::min(kSumBlock, elements - first),
                              [](F64x16 element, F64x16 lanes) { return fma(element, element, lanes); });
    }
  });
}

void add_block_sums(const Invocation& call) {
  const double* sums = call.inputs[0].as<const double>();
  TreeSum tree;
  for (int64_t block = 0; block < call.inputs[0].elements(); ++block) tree.add(sums[block]);
  *call.outputs[0].as<double>() = tree.total();
}

void clip_scale(const Invocation& call) {
  const double max_norm = call.attributes.real("max_norm");
  const bool unscales = call.attributes.has("unscales");
  const auto inputs = call.inputs.first(call.inputs.size() - (call.attributes.has("keeps") ? 1 : 0));
  const double loss_scale = unscales ? static_cast<double>(*inputs.back().as<const float>()) : 1.0;
  TreeSum tree;
  for (const Tensor& input : inputs.first(inputs.size() - (unscales ? 1 : 0))) {
    tree.add(*input.as<const double>());
  }
  const double norm = __builtin_sqrt(tree.total()) / loss_scale;
  const double ratio = max_norm / (norm + 1e-6);
  const double factor = (max_norm == 0 || ratio > 1 ? 1.0 : ratio) / loss_scale;
  const bool skips = unscales && !(norm <= __DBL_MAX__);
  *call.outputs[0].as<float>() = static_cast<float>(norm);
  *call.outputs[1].as<float>() = skips ? __builtin_nanf("") : static_cast<float>(factor);
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(sum);
HEADROOM_KERNEL(squared_norm);
HEADROOM_KERNEL(squared_norms_of_blocks);
HEADROOM_KERNEL(add_block_sums);
HEADROOM_KERNEL(clip_scale);
