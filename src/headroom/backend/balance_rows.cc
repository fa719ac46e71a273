#include "headroom/backend/balance_rows.h"

#include <algorithm>

#include "headroom/backend/reference/scalar.h"
#include "headroom/backend/route_rows.h"

namespace headroom {
namespace {

// A token's p, in place of its scores.
void divide_by_sum(Scoring scoring, float* scores, int64_t experts) {
  if (scoring == Scoring::softmax) return;  // they are it
  const float sum = reference::sum_16_lanes(experts, [&](int64_t e, float lane) { return lane + scores[e]; }) + 1e-20f;
  for (int64_t e = 0; e < experts; ++e) scores[e] = scores[e] / sum;
}

// sum_e f[e] * p[e].
float weighted_sum(const float* shares, const float* p, int64_t experts) {
  return reference::sum_16_lanes(experts, [&](int64_t e, float lane) { return std::fma(shares[e], p[e], lane); });
}

// f of the sequence of tokens first .. first + count - 1.
void find_shares(const int32_t* choice, int64_t first, int64_t count, int64_t chosen, int64_t experts, float* shares) {
  int32_t counts[kMostExperts];
  std::fill_n(counts, experts, 0);
  for (int64_t pair = first * chosen; pair < (first + count) * chosen; ++pair) ++counts[choice[pair]];
  const double pairs = static_cast<double>(count * chosen);
  for (int64_t e = 0; e < experts; ++e) {
    shares[e] = static_cast<float>(static_cast<double>(experts) * static_cast<double>(counts[e]) / pairs);
  }
}

// Calls of_token(t, f) for each token of a sequence, those of one sequence divided over threads.
template <class OfToken>
void for_each_token(const Invocation& call, OfToken&& of_token) {
  const int64_t experts = call.inputs[0].dim(1), chosen = call.inputs[1].dim(1);
  for (int64_t sequence = 0; sequence < call.inputs[2].dim(0); ++sequence) {
    const int32_t* range = call.inputs[2].as<const int32_t>() + sequence * 4;
    const int64_t first = range[0], count = range[1];
    if (count == 0) continue;
    float shares[kMostExperts];
    find_shares(call.inputs[1].as<const int32_t>(), first, count, chosen, experts, shares);
    call.threads.split(count, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) of_token(first + i, shares);
    });
  }
}

}  // namespace

void balance_rows(const Invocation& call) {
  const auto scoring = static_cast<Scoring>(call.attributes.integer("scoring"));
  const auto alpha = static_cast<float>(call.attributes.real("alpha"));
  const int64_t experts = call.inputs[0].dim(1);
  float* losses = call.outputs[0].as<float>();
  std::fill_n(losses, call.outputs[0].elements(), 0.0f);
  for_each_token(call, [&](int64_t t, const float* shares) {
    float p[kMostExperts];
    find_scores(scoring, call.inputs[0].as<const float>() + t * experts, experts, p);
    divide_by_sum(scoring, p, experts);
    losses[t] = alpha * weighted_sum(shares, p, experts);
  });
}

// With d = sum_e f[e] p[e] and a = alpha * scale: a * p[e] * (f[e] - d), behind a sigmoid times 1 - its score.
void balance_rows_backward(const Invocation& call) {
  const auto scoring = static_cast<Scoring>(call.attributes.integer("scoring"));
  const float factor = static_cast<float>(call.attributes.real("alpha")) * *call.inputs[3].as<const float>();
  const int64_t experts = call.inputs[0].dim(1);
  std::fill_n(call.outputs[0].as<float>(), call.outputs[0].elements(), 0.0f);
  for_each_token(call, [&](int64_t t, const float* shares) {
    float scores[kMostExperts], p[kMostExperts];
    find_scores(scoring, call.inputs[0].as<const float>() + t * experts, experts, scores);
    std::copy_n(scores, experts, p);
    divide_by_sum(scoring, p, experts);
    const float mean = weighted_sum(shares, p, experts);
    float* dlogits = call.outputs[0].as<float>() + t * experts;
    for (int64_t e = 0; e < experts; ++e) {
      const float through = scoring == Scoring::sigmoid ? 1.0f - scores[e] : 1.0f;
      dlogits[e] = factor * (p[e] * (shares[e] - mean)) * through;
    }
  });
}

}  // namespace headroom
