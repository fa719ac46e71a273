// Mixtures of experts and latent attention, of DeepSeek-V2-Lite's sizes: a prompt's rows, and one new token's.
//   T tokens, K experts of each, E experts
#include "headroom/base/block_format.h"
#include "headroom/base/bytes.h"
#include "headroom/base/page.h"
#include "headroom/measure/kernel_case.h"

namespace headroom {
namespace {

constexpr int64_t kExperts = 64, kChosen = 6, kFeatures = 2048, kExpertFeatures = 1408;
constexpr int64_t kHeads = 16, kPlain = 128, kRotated = 64, kLatents = 512;

// Every token goes to six experts of which two are neighbours' too; rows are grouped as they would be.
void fill_grouping(std::span<const Tensor> inputs, size_t order, int64_t tokens) {
  int32_t* of_rows = inputs[order].as<int32_t>();
  int32_t* places = inputs[order + 1].as<int32_t>();
  int32_t* begins = inputs[order + 2].as<int32_t>();
  int32_t row = 0;
  for (int64_t expert = 0; expert < kExperts; ++expert) {
    begins[expert] = row;
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t j = (expert - 4 * t % kExperts + kExperts) % kExperts;
      if (j >= kChosen) continue;
      of_rows[row] = static_cast<int32_t>(t * kChosen + j);
      places[t * kChosen + j] = row++;
    }
  }
  begins[kExperts] = row;
}

std::vector<Type> with_grouping(const Type& x, int64_t tokens, const Type& last) {
  return {x, i32({tokens * kChosen}), i32({tokens, kChosen}), i32({kExperts + 1}), last};
}

// x of tokens times the matrices that make an expert's features.
KernelCase forward(int64_t tokens, DType weight) {
  KernelCase one;
  one.name = fmt::format("expert_matmul {} tokens, {}", tokens, name_of(weight));
  one.op = "expert_matmul";
  one.inputs = with_grouping(f32({tokens, kFeatures}), tokens, {weight, {kExperts, kExpertFeatures, kFeatures}});
  one.attributes = {{"of_tokens", int64_t{1}}, {"transpose", int64_t{1}}};
  one.limit = tokens == 1 ? Limit::read : Limit::fma;
  one.fill = [tokens](std::span<const Tensor> inputs) { fill_grouping(inputs, 1, tokens); };
  return one;
}

// One token's experts, in slots one behind the other.
KernelCase of_slots(DType format) {
  const Type matrix = {format, {kExpertFeatures, kFeatures}};
  KernelCase one;
  one.name = fmt::format("slot_matmul 1 token, {}", name_of(format));
  one.op = "slot_matmul";
  one.inputs = with_grouping(f32({1, kFeatures}), 1, {DType::u8, {kExperts, round_up(matrix.bytes(), kPageBytes)}});
  one.inputs.push_back(i32({kExperts}));
  one.attributes = {{"of_tokens", int64_t{1}},
                    {"offset", int64_t{0}},
                    {"format", static_cast<int64_t>(format)},
                    {"matrix_rows", kExpertFeatures},
                    {"matrix_columns", kFeatures}};
  one.limit = Limit::read;
  one.fill = [](std::span<const Tensor> inputs) {
    fill_grouping(inputs, 1, 1);
    fill_ascending(inputs[5]);
  };
  return one;
}

KernelCase of_rows(std::string_view op, std::vector<Type> inputs, Limit limit, Attributes attributes = {}) {
  KernelCase one;
  one.name = fmt::format("{} {}", op, to_string(inputs[0].shape));
  one.op = op;
  one.inputs = std::move(inputs);
  one.attributes = std::move(attributes);
  one.limit = limit;
  return one;
}

}  // namespace

std::vector<KernelCase> expert_cases() {
  constexpr int64_t kTokens = 512, kRows = kTokens * kChosen;
  const Type logits = f32({kTokens, kExperts});
  const Type chosen = f32({kTokens, kChosen});
  const Attributes gate = {
      {"scoring", int64_t{0}},    {"chosen", kChosen},       {"groups", int64_t{1}}, {"top_groups", int64_t{1}},
      {"group_best", int64_t{1}}, {"normalise", int64_t{0}}, {"scale", 1.0}};
  const auto fill_choice = [](const Tensor& choice) {
    for (int64_t pair = 0; pair < choice.elements(); ++pair) {
      choice.as<int32_t>()[pair] = static_cast<int32_t>((4 * (pair / kChosen) + pair % kChosen) % kExperts);
    }
  };
  KernelCase route_backward = of_rows("route_backward", {logits, i32({kTokens, kChosen}), chosen}, Limit::none, gate);
  route_backward.fill = [=](std::span<const Tensor> inputs) { fill_choice(inputs[1]); };
  const Attributes balance = {{"scoring", int64_t{1}}, {"alpha", 1e-4}};
  const std::vector<Type> balanced = {logits, i32({kTokens, kChosen}), i32({1, 4})};
  KernelCase balance_losses = of_rows("balance_losses", balanced, Limit::none, balance);
  KernelCase balance_losses_backward = of_rows("balance_losses_backward", balanced, Limit::none, balance);
  balance_losses_backward.inputs.push_back(f32({1}));
  for (KernelCase* one : {&balance_losses, &balance_losses_backward}) {
    one->fill = [=](std::span<const Tensor> inputs) {
      fill_choice(inputs[1]);
      inputs[2].as<int32_t>()[1] = kTokens;
    };
  }
  KernelCase group = of_rows("group_rows", {i32({kTokens, kChosen})}, Limit::none, {{"experts", kExperts}});
  group.fill = [=](std::span<const Tensor> inputs) { fill_choice(inputs[0]); };

  const Type rows = f32({kRows, kFeatures});
  KernelCase combine = of_rows("combine_rows", {rows, i32({kTokens, kChosen}), chosen}, Limit::none);
  KernelCase combine_backward =
      of_rows("combine_rows_backward", {rows, i32({kTokens, kChosen}), chosen, f32({kTokens, kFeatures})}, Limit::none);
  for (KernelCase* one : {&combine, &combine_backward}) {
    one->fill = [](std::span<const Tensor> inputs) {
      for (int64_t pair = 0; pair < inputs[1].elements(); ++pair)
        inputs[1].as<int32_t>()[pair] = static_cast<int32_t>(pair);
    };
  }

  KernelCase back = forward(kTokens, DType::f32);
  back.name = "expert_matmul 512 tokens, dy W";
  back.inputs =
      with_grouping(f32({kRows, kExpertFeatures}), kTokens, {DType::f32, {kExperts, kExpertFeatures, kFeatures}});
  back.attributes = {{"of_tokens", int64_t{0}}, {"transpose", int64_t{0}}};
  KernelCase gradient = of_rows("expert_matmul_gradient",
                                with_grouping(f32({kTokens, kFeatures}), kTokens, f32({kRows, kExpertFeatures})),
                                Limit::fma, {{"of_tokens", int64_t{1}}});
  gradient.fill = back.fill;

  const Attributes absorb = {
      {"heads", kHeads}, {"first", int64_t{0}}, {"rows", kPlain}, {"tail", kRotated}, {"to_latents", int64_t{1}}};
  Attributes absorb_gradient = absorb;
  absorb_gradient.set("weight_rows", 2 * kHeads * kPlain);
  absorb_gradient.set("latents", kLatents);
  const Type queries = f32({kTokens, kHeads * (kPlain + kRotated)});
  const Type absorbed = f32({kTokens, kHeads * (kLatents + kRotated)});
  return {of_rows("route", {logits}, Limit::none, gate),
          route_backward,
          balance_losses,
          balance_losses_backward,
          group,
          combine,
          combine_backward,
          forward(kTokens, DType::f32),
          forward(1, DType::f32),
          forward(1, find_block_format("int4_g128")->dtype()),
          of_slots(find_block_format("int4_g128")->dtype()),
          back,
          gradient,
          of_rows("head_products", {queries, f32({2 * kHeads * kPlain, kLatents})}, Limit::fma, absorb),
          of_rows("head_products_gradient", {queries, absorbed}, Limit::fma, absorb_gradient)};
}

}  // namespace headroom

HEADROOM_KERNEL_CASES(expert_cases);
