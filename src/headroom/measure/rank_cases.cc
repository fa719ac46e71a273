// What ranks do with their parts of values, beside exchanging them: half of a matrix of 8192 x 2048 on two ranks.
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

const Type kWhole = f32({8192, 2048});
const int64_t kPart = kWhole.shape.elements() / 2;

KernelCase take_part() {
  KernelCase one;
  one.name = "take_part, half of 8192x2048";
  one.op = "take_part";
  one.inputs = {kWhole};
  one.attributes = {{"first", kPart}, {"elements", kPart}, {"room", kPart}};
  one.limit = Limit::copy;
  return one;
}

KernelCase add_rank_rows() {
  KernelCase one;
  one.name = "add_rank_rows of 2 ranks, half of 8192x2048";
  one.op = "add_rank_rows";
  one.inputs = {f32({2, kPart})};
  one.attributes = {{"first", int64_t{0}}, {"elements", kPart}};
  one.limit = Limit::update;
  return one;
}

KernelCase squared_norms_of_blocks() {
  KernelCase one;
  one.name = "squared_norms_of_blocks, half of 8192x2048";
  one.op = "squared_norms_of_blocks";
  one.inputs = {f32({kPart})};
  one.limit = Limit::read;
  return one;
}

KernelCase add_block_sums() {
  KernelCase one;
  one.name = "add_block_sums of 8192x2048";
  one.op = "add_block_sums";
  one.inputs = {f64({kWhole.shape.elements() / 1024})};
  one.limit = Limit::read;
  return one;
}

}  // namespace

std::vector<KernelCase> rank_cases() {
  return {take_part(), add_rank_rows(), squared_norms_of_blocks(), add_block_sums()};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(rank_cases);
