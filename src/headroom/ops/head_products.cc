// Products head by head with parts of one weight, and the weight's gradient.
//   T tokens, H heads, W rows of the weight a head, P of them that take part, L features of a latent, R of a tail
#include "headroom/ops/head_products.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

HeadProducts head_settings(std::string_view op, const Attributes& attributes) {
  const HeadProducts settings = {.heads = attributes.integer("heads"),
                                 .first = attributes.integer("first"),
                                 .rows = attributes.integer("rows"),
                                 .tail = attributes.integer("tail"),
                                 .to_latents = attributes.integer("to_latents") != 0};
  if (settings.heads >= 1 && settings.first >= 0 && settings.rows >= 1 && settings.tail >= 0) return settings;
  throw InvalidInput("{}: heads and rows are 1 or more, first and tail 0 or more; got {}, {}, {} and {}", op,
                     settings.heads, settings.rows, settings.first, settings.tail);
}

Attributes head_attributes(const HeadProducts& settings) {
  return {{"heads", settings.heads},
          {"first", settings.first},
          {"rows", settings.rows},
          {"tail", settings.tail},
          {"to_latents", int64_t{settings.to_latents}}};
}

// Features of each of the heads.
int64_t head_width(std::string_view op, std::string_view rule, const Type& x, int64_t heads) {
  expect_rows(op, rule, x);
  if (x.shape[1] % heads == 0) return x.shape[1] / heads;
  throw InvalidInput("{}: {}; expected a multiple of {} heads, got {}", op, rule, heads, to_string(x));
}

void expect_weight_rows(std::string_view op, const HeadProducts& settings, const Type& weight) {
  expect_rank(op, "the weight is [H*W, L]", 2, weight);
  const int64_t rows = weight.shape[0] / settings.heads;
  if (weight.shape[0] % settings.heads == 0 && settings.first + settings.rows <= rows) return;
  throw InvalidInput("{}: the weight is [H*W, L]; expected {} heads of {} rows or more, got {}", op, settings.heads,
                     settings.first + settings.rows, to_string(weight));
}

class HeadProductsOp : public Op {
 public:
  HeadProductsOp() : Op("head_products") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 2);
    const HeadProducts settings = head_settings(name(), attributes);
    expect_factors(name(), inputs[0], inputs[1]);
    expect_weight_rows(name(), settings, inputs[1]);
    const int64_t width = head_width(name(), "x is [T, H*X]", inputs[0], settings.heads);
    const int64_t latents = inputs[1].shape[1];
    const bool fits = settings.to_latents ? width == settings.rows || width == settings.rows + settings.tail
                                          : width >= latents + settings.tail;
    if (!fits) {
      throw InvalidInput("{}: x is [T, H*X]; expected heads of {}{} features, got {} heads of {}", name(),
                         settings.to_latents ? settings.rows + settings.tail : latents + settings.tail,
                         settings.to_latents ? "" : " or more", settings.heads, width);
    }
    const int64_t made = (settings.to_latents ? latents : settings.rows) + settings.tail;
    return {{inputs[0].dtype, {inputs[0].shape[0], settings.heads * made}}};
  }

  Price price(const TypedNode& node) const override {
    const double rows = static_cast<double>(node.inputs[0].shape[0] * node.attributes.integer("heads"));
    const double factors = static_cast<double>(node.attributes.integer("rows") * node.inputs[1].shape[1]);
    return {.flops = 2 * rows * factors, .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    const ValueId dy = gradients[0];
    std::vector<ValueId> of_inputs(2, kNoValue);
    if (dy == kNoValue) return of_inputs;
    const HeadProducts settings = head_settings(name(), forward.attributes);
    const ValueId x = forward.inputs[0];
    const ValueId weight = forward.inputs[1];
    if (build.wants_gradient(x)) {
      HeadProducts back = settings;
      back.to_latents = !settings.to_latents;
      const int64_t width = build.type(x).shape[1] / settings.heads;
      back.tail = width - (settings.to_latents ? settings.rows : build.type(weight).shape[1]);
      of_inputs[0] = head_products(build, dy, weight, back);
    }
    if (build.wants_gradient(weight)) {
      Attributes attributes = head_attributes(settings);
      attributes.set("weight_rows", build.type(weight).shape[0]);
      attributes.set("latents", build.type(weight).shape[1]);
      const std::vector<ValueId> inputs = settings.to_latents ? std::vector{x, dy} : std::vector{dy, x};
      of_inputs[1] = build.value("head_products_gradient", inputs, attributes, gradient_role(build, weight));
    }
    return of_inputs;
  }

  bool reads_blocks(size_t input) const override { return input == 1; }
};

// narrow [T, H*X], X >= P, and wide [T, H*Y], Y >= L -> f32[H*W, L]: of each head its P rows are narrow's first P
// features transposed times wide's first L, chains over T; the others are 0. With a sum f32[H*W, L] (its storage), the
// chains go on from it, and the others stay.
class HeadProductsGradient : public Op {
 public:
  HeadProductsGradient() : Op("head_products_gradient") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 3);
    const HeadProducts settings = head_settings(name(), attributes);
    const Type weight = f32({attributes.integer("weight_rows"), attributes.integer("latents")});
    expect_weight_rows(name(), settings, weight);
    expect_factors(name(), inputs[0], inputs[1]);
    const bool fits = head_width(name(), "narrow is [T, H*X]", inputs[0], settings.heads) >= settings.rows &&
                      head_width(name(), "wide is [T, H*Y]", inputs[1], settings.heads) >= weight.shape[1] &&
                      inputs[0].shape[0] == inputs[1].shape[0];
    if (!fits) {
      throw InvalidInput("{}: narrow is [T, H*X] and wide [T, H*Y]; expected X >= {} and Y >= {}, got {} and {}",
                         name(), settings.rows, weight.shape[1], to_string(inputs[0]), to_string(inputs[1]));
    }
    if (inputs.size() == 3) expect_type(name(), "the sum is [H*W, L]", weight, inputs[2]);
    return {weight};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 3) return {};
    return {{.output = 0, .input = 2}};
  }

  Price price(const TypedNode& node) const override {
    const double rows = static_cast<double>(node.inputs[0].shape[0] * node.attributes.integer("heads"));
    const double factors = static_cast<double>(node.attributes.integer("rows") * node.outputs[0].shape[1]);
    return {.flops = 2 * rows * factors, .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
};

}  // namespace

ValueId head_products(Builder& build, ValueId x, ValueId weight, const HeadProducts& settings) {
  return build.value("head_products", {x, weight}, head_attributes(settings));
}

}  // namespace headroom

static const headroom::HeadProductsOp head_products_op;
HEADROOM_OP(head_products_op);
static const headroom::HeadProductsGradient head_products_gradient_op;
HEADROOM_OP(head_products_gradient_op);
