#include "headroom/backend/route_rows.h"

#include <algorithm>
#include <limits>

#include "headroom/backend/reference/scalar.h"

namespace headroom {
namespace {

constexpr float kBarred = -std::numeric_limits<float>::infinity();

// What a node's attributes say.
struct Gate {
  explicit Gate(const Attributes& attributes)
      : scoring(static_cast<Scoring>(attributes.integer("scoring"))),
        chosen(attributes.integer("chosen")),
        groups(attributes.integer("groups")),
        top_groups(attributes.integer("top_groups")),
        group_best(attributes.integer("group_best")),
        normalise(attributes.integer("normalise") != 0),
        scale(static_cast<float>(attributes.real("scale"))) {}

  Scoring scoring;
  int64_t chosen, groups, top_groups, group_best;
  bool normalise;
  float scale;
};

// The place of the largest of `count` numbers that are not barred, the first of equal ones; then it is barred. Where
// all are, the first that was not taken.
int64_t take_best(float* numbers, bool* taken, int64_t count) {
  int64_t best = -1;
  for (int64_t i = 0; i < count; ++i) {
    if (!taken[i] && (best < 0 || numbers[i] > numbers[best])) best = i;
  }
  taken[best] = true;
  return best;
}

// Scores of experts outside the best groups become kBarred.
void bar_groups(const Gate& gate, float* scores, int64_t experts) {
  if (gate.top_groups == gate.groups) return;
  const int64_t size = experts / gate.groups;
  float of_group[kMostExperts];
  bool taken[kMostExperts];
  for (int64_t group = 0; group < gate.groups; ++group) {
    float* members = scores + group * size;
    std::fill_n(taken, size, false);
    float sum = members[take_best(members, taken, size)];
    for (int64_t i = 1; i < gate.group_best; ++i) sum += members[take_best(members, taken, size)];
    of_group[group] = sum;
  }
  std::fill_n(taken, gate.groups, false);
  for (int64_t i = 0; i < gate.top_groups; ++i) take_best(of_group, taken, gate.groups);
  for (int64_t group = 0; group < gate.groups; ++group) {
    if (!taken[group]) std::fill_n(scores + group * size, size, kBarred);
  }
}

float sum_of_chosen(const float* scores, const int32_t* choice, int64_t chosen) {
  float sum = 0;
  for (int64_t j = 0; j < chosen; ++j) sum += scores[choice[j]];
  return sum + 1e-20f;
}

void route_token(const Gate& gate, const float* logits, const float* bias, int64_t experts, int32_t* choice,
                 float* weights) {
  float scores[kMostExperts];
  find_scores(gate.scoring, logits, experts, scores);
  const bool has_nan = std::any_of(logits, logits + experts, [](float logit) { return logit != logit; });
  float choosing[kMostExperts];
  for (int64_t e = 0; e < experts; ++e) {
    const float score = bias == nullptr ? scores[e] : scores[e] + bias[e];
    choosing[e] = score == score ? score : kBarred;
  }
  bar_groups(gate, choosing, experts);
  bool taken[kMostExperts];
  std::fill_n(taken, experts, false);
  for (int64_t j = 0; j < gate.chosen; ++j) take_best(choosing, taken, experts);
  int64_t j = 0;
  for (int64_t e = 0; e < experts; ++e) {
    if (taken[e]) choice[j++] = static_cast<int32_t>(e);
  }
  const float sum = gate.normalise ? sum_of_chosen(scores, choice, gate.chosen) : 1.0f;
  for (j = 0; j < gate.chosen; ++j) {
    weights[j] = has_nan ? std::numeric_limits<float>::quiet_NaN() : scores[choice[j]] / sum * gate.scale;
  }
}

// With p the scores and w = p / S * scale: dp_j = (dw_j - sum_i dw_i p_i / S) / S * scale, without normalising dw_j *
// scale; then through the sigmoid or the softmax.
void route_token_backward(const Gate& gate, const float* logits, const int32_t* choice, const float* dweights,
                          int64_t experts, float* dlogits) {
  float scores[kMostExperts];
  find_scores(gate.scoring, logits, experts, scores);
  const float sum = gate.normalise ? sum_of_chosen(scores, choice, gate.chosen) : 1.0f;
  float common = 0;
  for (int64_t j = 0; gate.normalise && j < gate.chosen; ++j) {
    common = std::fma(dweights[j], scores[choice[j]] / sum, common);
  }
  std::fill_n(dlogits, experts, 0.0f);
  for (int64_t j = 0; j < gate.chosen; ++j) dlogits[choice[j]] = (dweights[j] - common) / sum * gate.scale;
  if (gate.scoring == Scoring::sigmoid) {
    for (int64_t e = 0; e < experts; ++e) dlogits[e] = dlogits[e] * (scores[e] * (1.0f - scores[e]));
    return;
  }
  float mean = 0;
  for (int64_t j = 0; j < gate.chosen; ++j) mean = std::fma(scores[choice[j]], dlogits[choice[j]], mean);
  for (int64_t e = 0; e < experts; ++e) dlogits[e] = scores[e] * (dlogits[e] - mean);
}

}  // namespace

void find_scores(Scoring scoring, const float* logits, int64_t experts, float* scores) {
  if (scoring == Scoring::sigmoid) {
    for (int64_t e = 0; e < experts; ++e) scores[e] = 1.0f / (1.0f + reference::exp(-logits[e]));
    return;
  }
  float largest = kBarred;
  for (int64_t e = 0; e < experts; ++e) largest = reference::max(largest, logits[e]);
  for (int64_t e = 0; e < experts; ++e) scores[e] = reference::exp(logits[e] - largest);
  const float sum = reference::sum_16_lanes(experts, [&](int64_t e, float lane) { return lane + scores[e]; });
  for (int64_t e = 0; e < experts; ++e) scores[e] = scores[e] / sum;
}

void route_rows(const Invocation& call) {
  const Gate gate(call.attributes);
  const int64_t experts = call.inputs[0].dim(1);
  const float* bias = call.inputs.size() > 1 ? call.inputs[1].as<const float>() : nullptr;
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      route_token(gate, call.inputs[0].as<const float>() + t * experts, bias, experts,
                  call.outputs[0].as<int32_t>() + t * gate.chosen, call.outputs[1].as<float>() + t * gate.chosen);
    }
  });
}

void route_rows_backward(const Invocation& call) {
  const Gate gate(call.attributes);
  const int64_t experts = call.inputs[0].dim(1);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      route_token_backward(
          gate, call.inputs[0].as<const float>() + t * experts, call.inputs[1].as<const int32_t>() + t * gate.chosen,
          call.inputs[2].as<const float>() + t * gate.chosen, experts, call.outputs[0].as<float>() + t * experts);
    }
  });
}

void group_expert_rows(const Invocation& call) {
  const int32_t* choice = call.inputs[0].as<const int32_t>();
  const int64_t rows = call.inputs[0].elements();
  int32_t* order = call.outputs[0].as<int32_t>();
  int32_t* places = call.outputs[1].as<int32_t>();
  int32_t* begins = call.outputs[2].as<int32_t>();
  const int64_t experts = call.outputs[2].dim(0) - 1;
  std::fill_n(begins, experts + 1, 0);
  for (int64_t pair = 0; pair < rows; ++pair) ++begins[choice[pair] + 1];
  for (int64_t e = 0; e < experts; ++e) begins[e + 1] += begins[e];
  for (int64_t pair = 0; pair < rows; ++pair) {
    const int32_t row = begins[choice[pair]]++;
    order[row] = static_cast<int32_t>(pair);
    places[pair] = row;
  }
  std::copy_backward(begins, begins + experts, begins + experts + 1);  // each begin had become its end
  begins[0] = 0;
}

}  // namespace headroom
