// Sums in f64.
#include "headroom/ops/sum.h"

#include "headroom/backend/sum_blocks.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

static_assert(kNormBlock == kSumBlock);

class WholeSum : public Op {
 public:
  using Op::Op;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "x is f32", DType::f32, inputs[0]);
    return {f64({1})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

class SquaredNormsOfBlocks : public Op {
 public:
  SquaredNormsOfBlocks() : Op("squared_norms_of_blocks") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "g is f32", DType::f32, inputs[0]);
    return {f64({(inputs[0].shape.elements() + kNormBlock - 1) / kNormBlock})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

class AddBlockSums : public Op {
 public:
  AddBlockSums() : Op("add_block_sums") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "sums are f64", DType::f64, inputs[0]);
    return {f64({1})};
  }
};

}  // namespace

ValueId sum(Builder& build, ValueId x) { return build.value("sum", {x}); }

ValueId squared_norm(Builder& build, ValueId g) { return build.value("squared_norm", {g}); }

ValueId squared_norms_of_blocks(Builder& build, ValueId g) { return build.value("squared_norms_of_blocks", {g}); }

ValueId add_block_sums(Builder& build, ValueId sums) { return build.value("add_block_sums", {sums}); }

}  // namespace headroom

static const headroom::WholeSum sum_op("sum");
HEADROOM_OP(sum_op);
static const headroom::WholeSum squared_norm_op("squared_norm");
HEADROOM_OP(squared_norm_op);
static const headroom::SquaredNormsOfBlocks squared_norms_of_blocks_op;
HEADROOM_OP(squared_norms_of_blocks_op);
static const headroom::AddBlockSums add_block_sums_op;
HEADROOM_OP(add_block_sums_op);
