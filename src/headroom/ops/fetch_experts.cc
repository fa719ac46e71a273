// Types and prices of experts in slots.
//   S slots of B bytes, E experts, R rows (ops/expert_rows.h), N x D a matrix
#include "headroom/ops/fetch_experts.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

// slots, begins, stacks of the experts' matrices... -> slots, table.
class FetchExperts : public Op {
 public:
  FetchExperts() : Op("fetch_experts") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 3, 8);
    const std::vector<Type> stacks(inputs.begin() + 2, inputs.end());
    for (const Type& stack : stacks) {
      expect_rank(name(), "a stack is [E, N, D]", 3, stack);
      if (stack.shape[0] == stacks[0].shape[0]) continue;
      throw InvalidInput("{}: stacks have as many experts; expected {}, got {}", name(), stacks[0].shape[0],
                         to_string(stack));
    }
    const int64_t experts = stacks[0].shape[0];
    expect_type(name(), "begins is i32[E + 1]", i32({experts + 1}), inputs[1]);
    expect_rank(name(), "slots is u8[S, B]", 2, inputs[0]);
    const Type slots = {DType::u8, {inputs[0].shape[0], record_of(stacks).bytes}};
    expect_type(name(), "slots is u8[S, B], B the bytes of an expert in whole pages", slots, inputs[0]);
    if (inputs[0].shape[0] < attributes.integer("most")) {
      throw InvalidInput("{}: all experts of a step have slots; expected {} or more, got {}", name(),
                         attributes.integer("most"), inputs[0].shape[0]);
    }
    attributes.real("share");
    return {inputs[0], i32({experts})};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }
  bool reads_input(const Node&, size_t input) const override { return input != 0; }

  Price price(const TypedNode& node) const override {
    const double experts = static_cast<double>(node.attributes.integer("most"));
    return {.flops = 0,
            .bytes = experts * (1 - node.attributes.real("share")) * static_cast<double>(node.inputs[0].shape[1])};
  }

  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::load; }
  Tier away() const override { return Tier::model; }
  int place_input() const override { return 0; }
  int rows_input() const override { return 1; }
};

class FetchedExpertsOp : public Op {
 public:
  FetchedExpertsOp() : Op("fetched_experts") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    return {inputs.begin(), inputs.end()};
  }
  std::vector<StoragePair> in_place(const TypedNode&) const override {
    return {{.output = 0, .input = 0}, {.output = 1, .input = 1}};
  }
  Price price(const TypedNode&) const override { return {}; }
  Lane lane() const override { return Lane::disk; }
  Course course() const override { return Course::wait; }
  Transfer transfer() const override { return Transfer::load; }
  Tier away() const override { return Tier::model; }
};

class SlotMatmul : public Op {
 public:
  SlotMatmul() : Op("slot_matmul") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 6, 6);
    const Type matrix = matrix_of_slot(attributes);
    expect_factors(name(), inputs[0], matrix);
    expect_rank(name(), "slots is u8[S, B]", 2, inputs[4]);
    const int64_t offset = attributes.integer("offset");
    if (inputs[4].dtype != DType::u8 || offset < 0 || offset + matrix.bytes() > inputs[4].shape[1]) {
      throw InvalidInput("{}: slots is u8[S, B] with the matrix in it; expected {} bytes from {} on, got {}", name(),
                         matrix.bytes(), offset, to_string(inputs[4]));
    }
    expect_rank(name(), "table is i32[E]", 1, inputs[5]);
    expect_type(name(), "begins is i32[E + 1]", i32({inputs[5].shape[0] + 1}), inputs[3]);
    const int64_t rows = attributes.integer("of_tokens") != 0 ? inputs[2].shape[0] : inputs[1].shape[0];
    expect_type(name(), "x is [R, D], or of tokens [T, D]", {inputs[0].dtype, {rows, matrix.shape[1]}}, inputs[0]);
    return {{inputs[0].dtype, {inputs[1].shape[0], matrix.shape[0]}}};
  }

  Price price(const TypedNode& node) const override {
    const Type matrix = matrix_of_slot(node.attributes);
    const int64_t rows = node.outputs[0].shape[0];
    const double read =
        static_cast<double>(std::min(rows, node.inputs[5].shape[0])) * static_cast<double>(matrix.bytes());
    return {.flops = 2 * static_cast<double>(rows) * static_cast<double>(matrix.shape.elements()),
            .bytes = read + static_cast<double>(node.inputs[0].bytes() + node.outputs[0].bytes())};
  }
};

}  // namespace

FetchedExperts fetch_experts(Builder& build, ValueId slots, const std::vector<ValueId>& stacks, const ExpertRows& rows,
                             double share) {
  std::vector<ValueId> inputs = {slots, rows.begins};
  inputs.insert(inputs.end(), stacks.begin(), stacks.end());
  const int64_t most = std::min(build.type(stacks.front()).shape[0], build.type(rows.order).shape[0]);
  const std::vector<ValueId> outputs =
      build.node("fetch_experts", inputs, {{"most", most}, {"share", share}}, Role::weight);
  return {outputs[0], outputs[1]};
}

FetchedExperts fetched_experts(Builder& build, const FetchedExperts& begun) {
  const std::vector<ValueId> outputs = build.node("fetched_experts", {begun.slots, begun.table}, {}, Role::weight);
  return {outputs[0], outputs[1]};
}

ValueId slot_matmul(Builder& build, ValueId x, const ExpertRows& rows, const FetchedExperts& experts,
                    const ExpertMatrix& matrix, bool of_tokens) {
  return build.value("slot_matmul", {x, rows.order, rows.places, rows.begins, experts.slots, experts.table},
                     {{"of_tokens", int64_t{of_tokens}},
                      {"offset", matrix.offset_bytes},
                      {"format", static_cast<int64_t>(matrix.type.dtype)},
                      {"matrix_rows", matrix.type.shape[0]},
                      {"matrix_columns", matrix.type.shape[1]}});
}

}  // namespace headroom

static const headroom::FetchExperts fetch_experts_op;
HEADROOM_OP(fetch_experts_op);
static const headroom::FetchedExpertsOp fetched_experts_op;
HEADROOM_OP(fetched_experts_op);
static const headroom::SlotMatmul slot_matmul_op;
HEADROOM_OP(slot_matmul_op);
