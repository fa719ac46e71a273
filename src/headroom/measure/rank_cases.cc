// What ranks do with their parts of values, beside exchanging them: half of a matrix of 8192 x 2048 on two ranks.
#include "headroom/backend/exchange_blocks.h"
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

KernelCase compress_blocks() {
  KernelCase one;
  one.name = "compress_blocks, half of 8192x2048 to 4 bits";
  one.op = "compress_blocks";
  one.inputs = {f32({kPart}), i32({4})};
  one.attributes = {{"bits", int64_t{4}}, {"site", int64_t{1}}, {"first", int64_t{0}}};
  one.limit = Limit::copy;
  return one;
}

KernelCase decompress_blocks() {
  KernelCase one;
  one.name = "decompress_blocks, half of 8192x2048 of 8 bits";
  one.op = "decompress_blocks";
  one.inputs = {u8({exchange_units(kPart) * exchange_unit_bytes(8)})};
  one.attributes = {{"bits", int64_t{8}}, {"rows", kPart}};
  one.limit = Limit::copy;
  return one;
}

}  // namespace

std::vector<KernelCase> rank_cases() {
  return {take_part(),      add_rank_rows(),   squared_norms_of_blocks(),
          add_block_sums(), compress_blocks(), decompress_blocks()};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(rank_cases);
