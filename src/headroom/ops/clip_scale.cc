// Global-norm clipping.
#include "headroom/ops/clip_scale.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class ClipScale : public Op {
 public:
  ClipScale() : Op("clip_scale") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    if (attributes.has("keeps") && !inputs.empty()) {
      expect_type(name(), "kept is f32[1]", f32({1}), inputs.back());
      inputs = inputs.first(inputs.size() - 1);
    }
    if (attributes.has("unscales") && !inputs.empty()) {
      expect_type(name(), "loss_scale is f32[1]", f32({1}), inputs.back());
      inputs = inputs.first(inputs.size() - 1);
    }
    if (inputs.empty()) throw InvalidInput("clip_scale: wrong number of inputs; expected 1 or more, got 0");
    for (const Type& input : inputs) expect_type(name(), "a squared norm is f64[1]", f64({1}), input);
    const double max_norm = attributes.real("max_norm");
    if (!(max_norm >= 0) || std::isinf(max_norm)) {
      throw InvalidInput("clip_scale: max_norm is a norm, or 0 for no clipping; expected 0 or more, got {}", max_norm);
    }
    return {f32({1}), f32({1})};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (!node.attributes.has("keeps")) return {};
    return {{.output = 1, .input = static_cast<int>(node.inputs.size()) - 1}};
  }
  bool reads_input(const Node& node, size_t input) const override {
    return !node.attributes.has("keeps") || input + 1 < node.inputs.size();
  }
};

}  // namespace

ClipScaleResult clip_scale(Builder& build, const std::vector<ValueId>& squared_norms, double max_norm,
                           ValueId loss_scale) {
  std::vector<ValueId> inputs = squared_norms;
  Attributes attributes = {{"max_norm", max_norm}};
  if (loss_scale != kNoValue) {
    inputs.push_back(loss_scale);
    attributes.set("unscales", int64_t{1});
  }
  const std::vector<ValueId> outputs = build.node("clip_scale", inputs, attributes);
  return {outputs[0], outputs[1]};
}

void keep_scale(Node& clip_scale, ValueId kept) {
  clip_scale.inputs.push_back(kept);
  clip_scale.attributes.set("keeps", int64_t{1});
}

}  // namespace headroom

static const headroom::ClipScale clip_scale_op;
HEADROOM_OP(clip_scale_op);
