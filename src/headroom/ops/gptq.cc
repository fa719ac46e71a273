#include "headroom/ops/gptq.h"

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

constexpr int64_t kMostSearched = 40;
constexpr int64_t kMostSweeps = 16;

void expect_gram(std::string_view op, const Type& weight, const Type& factor, const Type& order) {
  expect_rank(op, "weight is [N, K]", 2, weight);
  expect_weight(op, "weight is f32, bf16 or f16", weight);
  const int64_t columns = weight.shape[1];
  expect_type(op, "factor is f32[K, K] where weight is [N, K]", f32({columns, columns}), factor);
  expect_type(op, "order is i32[K] where weight is [N, K]", i32({columns}), order);
}

// Of the products that each element's chain is.
double flops_of_chains(const TypedNode& node) {
  const Shape& weight = node.inputs[0].shape;
  return static_cast<double>(weight.elements()) * static_cast<double>(weight[1]);
}

class Gptq : public Op {
 public:
  Gptq() : Op("gptq") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 5, 6);
    expect_gram(name(), inputs[0], inputs[1], inputs[2]);
    expect_type(name(), "diagonal is f32[K] where weight is [N, K]", f32({inputs[0].shape[1]}), inputs[3]);
    const Type& target = inputs[4];
    if (as_grouped(target.dtype) == nullptr || target.shape != inputs[0].shape) {
      throw InvalidInput(
          "gptq: target is weight's shape in a grouped format; expected {} as int4_g128 or its like, got {}",
          to_string(inputs[0].shape), to_string(target));
    }
    const int64_t search = attributes.integer("search");
    if (search < 1 || search > kMostSearched) {
      throw InvalidInput("gptq: search {}; expected 1 to {} grids", search, kMostSearched);
    }
    const int64_t sweeps = attributes.integer("sweeps");
    if (sweeps < 0 || sweeps > kMostSweeps) {
      throw InvalidInput("gptq: sweeps {}; expected 0 to {}", sweeps, kMostSweeps);
    }
    if (inputs.size() == 6) expect_type(name(), "pull is f32[N, K]", f32(inputs[0].shape), inputs[5]);
    return {target, f32({inputs[0].shape[0]})};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 4}}; }
  bool reads_input(const Node&, size_t input) const override { return input != 4; }
  bool reads_blocks(size_t input) const override { return input == 4; }

  Price price(const TypedNode& node) const override {
    const double sweeps = 2 * static_cast<double>(node.attributes.integer("sweeps"));
    const double corrections = node.inputs.size() == 6 ? 2 : 0;
    return {.flops = (1 + sweeps + corrections) * flops_of_chains(node), .bytes = bytes_touched(node)};
  }
};

class GramLosses : public Op {
 public:
  GramLosses() : Op("gram_losses") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 4);
    expect_gram(name(), inputs[0], inputs[1], inputs[2]);
    if (inputs.size() == 4) {
      expect_weight_or_blocks(name(), "quantized is f32, bf16, f16 or blocks", inputs[3]);
      expect_type(name(), "quantized has weight's shape", {inputs[3].dtype, inputs[0].shape}, inputs[3]);
    }
    return {f32({inputs[0].shape[0]})};
  }

  bool reads_blocks(size_t input) const override { return input == 3; }

  Price price(const TypedNode& node) const override {
    return {.flops = flops_of_chains(node), .bytes = bytes_touched(node)};
  }
};

}  // namespace

QuantizedByGram gptq(Builder& build, ValueId weight, const FactoredGram& gram, ValueId target,
                     const GptqSettings& settings, ValueId pull) {
  std::vector<ValueId> inputs = {weight, gram.factor, gram.order, gram.diagonal, target};
  if (pull != kNoValue) inputs.push_back(pull);
  const std::vector<ValueId> outputs =
      build.node("gptq", inputs, {{"search", settings.search}, {"sweeps", settings.sweeps}}, Role::weight);
  build.graph().value(outputs[1]).role = Role::activation;
  return {outputs[0], outputs[1]};
}

ValueId gram_losses(Builder& build, ValueId weight, const FactoredGram& gram, ValueId quantized) {
  std::vector<ValueId> inputs = {weight, gram.factor, gram.order};
  if (quantized != kNoValue) inputs.push_back(quantized);
  return build.value("gram_losses", inputs);
}

}  // namespace headroom

static const headroom::Gptq gptq_op;
HEADROOM_OP(gptq_op);
static const headroom::GramLosses gram_losses_op;
HEADROOM_OP(gram_losses_op);
