// The loss head against its products alone, and the ops over rows of logits.
//   T tokens, F features, V vocabulary.
#include "headroom/backend/vocabulary_tiles.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

// `products` of T x V x F: one forwards, three backwards (logits again, dx, dweight).
KernelCase loss(bool backward, int64_t tokens, int64_t features, int64_t vocabulary) {
  const std::string_view op = backward ? "linear_cross_entropy_backward" : "linear_cross_entropy";
  KernelCase one;
  one.name = fmt::format("{} {}", op, dimensions({tokens, features, vocabulary}));
  one.op = op;
  one.inputs = {f32({tokens, features}), f32({vocabulary, features}), i32({tokens})};
  if (backward) one.inputs.insert(one.inputs.end(), {f32({tokens}), f32({1})});
  one.limit = Limit::fma;
  one.fill = [=](std::span<const Tensor> inputs) {
    fill_ids(inputs[2], static_cast<int32_t>(vocabulary));
    if (backward) fill_constant(inputs[3], 10);  // about the logarithm of the vocabulary
  };
  one.work = (backward ? 6.0 : 2.0) * static_cast<double>(tokens * features) * static_cast<double>(vocabulary);
  return one;
}

// Features that make logits of a few units, as models do. Of logits of hundreds most gradients are denormal, which some
// processors multiply eighty times slower than others.
void make_logits_moderate(const Tensor& features) {
  for (int64_t i = 0; i < features.elements(); ++i) features.as<float>()[i] *= 1.0f / 16;
}

// Three products: what the two apart do in four.
KernelCase loss_with_gradients(int64_t tokens, int64_t features, int64_t vocabulary) {
  KernelCase one;
  one.op = "linear_cross_entropy_with_gradients";
  one.name = fmt::format("{} {}", one.op, dimensions({tokens, features, vocabulary}));
  one.inputs = {f32({tokens, features}), f32({vocabulary, features}), i32({tokens}), f32({1})};
  one.limit = Limit::fma;
  one.fill = [=](std::span<const Tensor> inputs) {
    make_logits_moderate(inputs[0]);
    fill_ids(inputs[2], static_cast<int32_t>(vocabulary));
  };
  one.work = 6.0 * static_cast<double>(tokens * features) * static_cast<double>(vocabulary);
  return one;
}

// A panel of a large vocabulary, behind others.
KernelCase panel_of_losses(int64_t tokens, int64_t features) {
  KernelCase one = loss(false, tokens, features, 2 * kVocabularyTile);
  one.op = "linear_cross_entropy_panel";
  one.name = fmt::format("{} {}", one.op, dimensions({tokens, features, 2 * kVocabularyTile}));
  one.inputs.push_back(f32({3, tokens}));
  one.attributes = {{"first_row", kVocabularyTile}};
  return one;
}

KernelCase losses_of_panels(int64_t tokens) {
  KernelCase one;
  one.op = "linear_cross_entropy_of_panels";
  one.name = fmt::format("{} {}", one.op, tokens);
  one.inputs = {f32({3, tokens}), i32({tokens})};
  one.attributes = {{"vocabulary", int64_t{32000}}};
  one.limit = Limit::read;
  one.fill = [](std::span<const Tensor> inputs) { fill_constant(inputs[0], 1); };
  return one;
}

constexpr int64_t kLossRows = 1024, kLossVocabulary = 32000;

KernelCase over_logits(std::string_view op, std::vector<Type> inputs) {
  KernelCase one;
  one.name = fmt::format("{} {}", op, dimensions({kLossRows, kLossVocabulary}));
  one.op = op;
  one.inputs = std::move(inputs);
  one.limit = Limit::read;
  return one;
}

}  // namespace

std::vector<KernelCase> loss_cases() {
  const Type logits = f32({kLossRows, kLossVocabulary});
  const Type lse = f32({kLossRows});
  KernelCase divergence = over_logits("kl_divergence", {logits, lse, logits, lse});
  divergence.fill = [](std::span<const Tensor> inputs) {
    fill_constant(inputs[1], 10);
    fill_constant(inputs[3], 10);
  };
  return {loss(false, 1024, 768, 32000),
          loss(true, 1024, 768, 32000),
          loss_with_gradients(1024, 768, 32000),
          panel_of_losses(1024, 768),
          losses_of_panels(1 << 16),
          over_logits("logsumexp", {logits}),
          over_logits("argmax", {logits}),
          divergence};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(loss_cases);
