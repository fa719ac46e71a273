// The gate of a mixture of experts and its backward.
//   T tokens, E experts in G groups, K chosen
#include "headroom/ops/route.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

double logit_count(const TypedNode& node) { return static_cast<double>(node.inputs[0].shape.elements()); }

class RouteOp : public Op {
 public:
  RouteOp() : Op("route") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 2);
    expect_matrix(name(), "logits is f32[T, E]", inputs[0]);
    const int64_t experts = inputs[0].shape[1];
    if (inputs.size() == 2) expect_type(name(), "bias is f32[E] where logits is [T, E]", f32({experts}), inputs[1]);
    const int64_t chosen = attributes.integer("chosen"), groups = attributes.integer("groups");
    const int64_t top = attributes.integer("top_groups"), best = attributes.integer("group_best");
    const bool fits = experts <= kMostExperts && groups >= 1 && experts % groups == 0 && top >= 1 && top <= groups &&
                      best >= 1 && best <= experts / groups && chosen >= 1 && chosen <= experts / groups * top;
    if (!fits) {
      throw InvalidInput(
          "route: {} of {} experts in {} groups, of which {} take part by their best {}; expected at most {} experts "
          "in "
          "equal groups, and no more chosen than take part",
          chosen, experts, groups, top, best, kMostExperts);
    }
    attributes.integer("scoring");
    attributes.integer("normalise");
    attributes.real("scale");
    const Shape shape = {inputs[0].shape[0], chosen};
    return {i32(shape), f32(shape)};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = (20 + static_cast<double>(node.attributes.integer("chosen"))) * logit_count(node),
            .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    std::vector<ValueId> of_inputs(forward.inputs.size(), kNoValue);
    if (gradients[1] == kNoValue) return of_inputs;
    of_inputs[0] =
        build.value("route_backward", {forward.inputs[0], forward.outputs[0], gradients[1]}, forward.attributes);
    return of_inputs;
  }
};

// logits f32[T, E], choice i32[T, K], the gradient of the weights f32[T, K] -> that of the logits f32[T, E].
class RouteBackward : public Op {
 public:
  RouteBackward() : Op("route_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_matrix(name(), "logits is f32[T, E]", inputs[0]);
    expect_rank(name(), "choice is i32[T, K]", 2, inputs[1]);
    const Shape shape = {inputs[0].shape[0], inputs[1].shape[1]};
    expect_type(name(), "choice is i32[T, K] where logits is [T, E]", i32(shape), inputs[1]);
    expect_type(name(), "dweights is f32[T, K]", f32(shape), inputs[2]);
    return {inputs[0]};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 24 * logit_count(node), .bytes = bytes_touched(node)};
  }
};

}  // namespace

Route route(Builder& build, ValueId logits, ValueId bias, const RouteSettings& settings) {
  std::vector<ValueId> inputs = {logits};
  if (bias != kNoValue) inputs.push_back(bias);
  const std::vector<ValueId> outputs = build.node("route", inputs,
                                                  {{"scoring", static_cast<int64_t>(settings.scoring)},
                                                   {"chosen", settings.chosen},
                                                   {"groups", settings.groups},
                                                   {"top_groups", settings.top_groups},
                                                   {"group_best", settings.group_best},
                                                   {"normalise", int64_t{settings.normalise}},
                                                   {"scale", settings.scale}});
  return {outputs[0], outputs[1]};
}

}  // namespace headroom

static const headroom::RouteOp route_op;
HEADROOM_OP(route_op);
static const headroom::RouteBackward route_backward_op;
HEADROOM_OP(route_backward_op);
