#include "headroom/generate/sampler.h"

#include <algorithm>
#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"

namespace headroom {
namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

double random_unit(uint64_t seed, uint64_t position) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t bits = mix(mix(seed + kGolden) + (position + 1) * kGolden);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

int32_t Sampler::pick(std::span<const float> logits, uint64_t position) {
  const auto largest = std::max_element(logits.begin(), logits.end());  // the first of equals
  if (settings_.temperature == 0) return static_cast<int32_t>(largest - logits.begin());
  const double unit = random_unit(settings_.seed, position);
  if (settings_.top_k == 0 && settings_.top_p >= 1) return pick_from_all(logits, *largest, unit);
  return pick_from_likeliest(logits, *largest, unit);
}

double Sampler::weight(float logit, double largest) const {
  return real::exp((static_cast<double>(logit) - largest) / settings_.temperature);
}

int32_t Sampler::pick_from_all(std::span<const float> logits, double largest, double unit) const {
  double total = 0;
  for (const float logit : logits) total += weight(logit, largest);
  double below = 0;
  int32_t last = 0;  // where rounding leaves the end of the last share short of 1
  for (size_t id = 0; id < logits.size(); ++id) {
    const double share = weight(logits[id], largest);
    if (share == 0) continue;
    last = static_cast<int32_t>(id);
    below += share;
    if (unit * total < below) break;
  }
  return last;
}

int32_t Sampler::pick_from_likeliest(std::span<const float> logits, double largest, double unit) {
  ensure(order_.size() >= logits.size(), "room to order {} of {} tokens", order_.size(), logits.size());
  const std::span<int32_t> order = order_.first(logits.size());
  const auto less_likely = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x < y || (x == y && a > b);
  };
  const auto weight_of = [&](int32_t id) { return weight(logits[static_cast<size_t>(id)], largest); };
  std::iota(order.begin(), order.end(), 0);
  std::make_heap(order.begin(), order.end(), less_likely);

  // The likeliest gather at the end of `order`, likeliest last.
  auto heap_end = order.end();
  const auto pop = [&] {
    std::pop_heap(order.begin(), heap_end, less_likely);
    return *--heap_end;
  };
  const int64_t count = static_cast<int64_t>(order.size());
  const int64_t at_most = settings_.top_k > 0 ? std::min(settings_.top_k, count) : count;
  double total = 0;
  if (at_most < count) {
    for (int64_t i = 0; i < at_most; ++i) total += weight_of(pop());
  } else {
    for (const float logit : logits) total += weight(logit, largest);
  }
  double kept = 0;
  int64_t candidates = 0;
  const auto candidate = [&](int64_t index) { return order[static_cast<size_t>(count - 1 - index)]; };
  while (candidates < at_most && (candidates == 0 || kept < settings_.top_p * total)) {
    if (at_most == count) pop();
    kept += weight_of(candidate(candidates++));
  }
  double below = 0;
  for (int64_t i = 0; i + 1 < candidates; ++i) {
    below += weight_of(candidate(i));
    if (unit * kept < below) return candidate(i);
  }
  return candidate(candidates - 1);
}

}  // namespace headroom
