#include "headroom/runtime/expert_cache.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr double kHalfLife = 128;      // steps after which having been needed counts half
constexpr double kMostWeight = 1e100;  // before all are made smaller

}  // namespace

ExpertCache::ExpertCache(std::vector<std::string> layers, int64_t experts, int64_t slots)
    : layers_(std::move(layers)), experts_(experts) {
  const size_t all = layers_.size() * static_cast<size_t>(experts);
  slot_of_.assign(all, -1);
  worth_.assign(all, 0.0);
  held_.assign(static_cast<size_t>(slots), -1);
  taken_at_.assign(static_cast<size_t>(slots), 0);
  reads_.reserve(static_cast<size_t>(std::min(experts, slots)));
}

int64_t ExpertCache::layer_of(const std::string& name) const {
  const auto found = std::find(layers_.begin(), layers_.end(), name);
  ensure(found != layers_.end(), "no layer of experts is called {}", name);
  return found - layers_.begin();
}

std::span<const ExpertCache::Read> ExpertCache::take(int64_t layer, const int32_t* begins, int32_t* table) {
  ++turn_;
  weight_ *= std::exp2(1 / (kHalfLife * static_cast<double>(layers_.size())));
  if (weight_ > kMostWeight) {
    for (double& worth : worth_) worth /= weight_;
    weight_ = 1;
  }
  reads_.clear();
  const auto first = static_cast<size_t>(layer * experts_);
  for (int64_t e = 0; e < experts_; ++e) {
    table[e] = -1;
    if (begins[e] == begins[e + 1]) continue;
    const size_t number = first + static_cast<size_t>(e);
    worth_[number] += weight_;
    ++needed_;
    table[e] = slot_of_[number];
    if (table[e] >= 0) taken_at_[static_cast<size_t>(table[e])] = turn_;
  }
  for (int64_t e = 0; e < experts_; ++e) {
    if (begins[e] == begins[e + 1] || table[e] >= 0) continue;
    const size_t number = first + static_cast<size_t>(e);
    const int32_t slot = free_slot();
    const auto place = static_cast<size_t>(slot);
    if (held_[place] >= 0) slot_of_[static_cast<size_t>(held_[place])] = -1;
    held_[place] = static_cast<int64_t>(number);
    taken_at_[place] = turn_;
    slot_of_[number] = table[e] = slot;
    reads_.push_back({static_cast<int32_t>(e), slot});
    ++read_;
  }
  return reads_;
}

// One that this turn does not need: an empty one, or what is worth least.
int32_t ExpertCache::free_slot() {
  size_t best = held_.size();
  double least = 0;
  for (size_t slot = 0; slot < held_.size(); ++slot) {
    if (held_[slot] < 0) return static_cast<int32_t>(slot);
    if (taken_at_[slot] == turn_) continue;
    const double worth = worth_[static_cast<size_t>(held_[slot])];
    if (best < held_.size() && worth >= least) continue;
    best = slot;
    least = worth;
  }
  ensure(best < held_.size(), "a step needs more than {} experts at once", held_.size());
  return static_cast<int32_t>(best);
}

void ExpertCache::clear() {
  std::fill(slot_of_.begin(), slot_of_.end(), -1);
  std::fill(held_.begin(), held_.end(), -1);
}

}  // namespace headroom
