#include "headroom/train/tuner.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

namespace headroom {
namespace {

// Combinations that are beyond others may be faster by so much at some levels.
constexpr double kAbout = 0.99;
constexpr int kProbes = 3;  // of levels one by one, before a search

class Search {
 public:
  Search(std::span<const LevelRange> ranges, Pricing& pricing) : ranges_(ranges), pricing_(pricing) {
    Choice way(ranges.size(), 0);
    add_combinations(way, 0);
  }

  std::optional<Choice> fastest(int64_t budget_bytes) {
    budget_bytes_ = budget_bytes;
    best_.reset();
    searched_.clear();
    best_seconds_ = std::numeric_limits<double>::infinity();
    // A combination takes no less than those it is beyond in every technique.
    std::map<Choice, double> seconds;
    for (const Choice& way : combinations_) {
      double least = pricing_.estimate(way).seconds;
      for (const auto& [other, other_seconds] : seconds) {
        if (std::equal(other.begin(), other.end(), way.begin(), std::less_equal<>())) {
          least = std::max(least, other_seconds);
        }
      }
      seconds[way] = least;
    }
    std::vector<Choice> order = combinations_;
    std::stable_sort(order.begin(), order.end(),
                     [&](const Choice& a, const Choice& b) { return seconds[a] < seconds[b]; });
    // With several graded techniques first the ends and the middle of all but the last, and then all of them around
    // what was best there.
    is_thorough_ = false;
    for (const Choice& way : order) {
      floor_seconds_ = seconds[way];
      if (floor_seconds_ >= best_seconds_) break;
      Choice one = way;
      search_graded(one, 0);
      searched_.push_back(way);
    }
    if (best_) {
      is_thorough_ = true;
      Choice one = at_start(*best_);
      floor_seconds_ = seconds[one];
      search_graded(one, 0);
    }
    return best_;
  }

  // Of the ways that decide what is accepted, the one whose plan is smallest.
  Choice leanest(int64_t& bytes) {
    std::vector<Choice> ways = extremes();
    std::stable_sort(ways.begin(), ways.end(), [&](const Choice& a, const Choice& b) {
      return pricing_.estimate(a).least_bytes < pricing_.estimate(b).least_bytes;
    });
    Choice best;
    bytes = std::numeric_limits<int64_t>::max();
    for (const Choice& way : ways) {
      if (pricing_.estimate(way).least_bytes >= bytes) break;
      if (const int64_t exact = pricing_.exact_bytes(way); exact < bytes) {
        bytes = exact;
        best = way;
      }
    }
    return best;
  }

  // Whether some way that decides what is accepted is known to fit, or does by one plan more: that of the leanest of
  // those that the search met.
  bool is_accepted(int64_t budget_bytes) {
    std::vector<Choice> met = extremes();
    std::erase_if(met, [&](const Choice& way) { return !pricing_.has_estimate(way); });
    const auto fits = [&](const Choice& way) { return pricing_.exact_bytes(way) <= budget_bytes; };
    if (std::any_of(met.begin(), met.end(),
                    [&](const Choice& way) { return pricing_.has_exact_bytes(way) && fits(way); })) {
      return true;
    }
    return fits(*std::min_element(met.begin(), met.end(), [&](const Choice& a, const Choice& b) {
      return pricing_.estimate(a).least_bytes < pricing_.estimate(b).least_bytes;
    }));
  }

 private:
  void add_combinations(Choice& way, size_t technique) {
    if (technique == ranges_.size()) {
      if (pricing_.exists(way)) combinations_.push_back(way);
      return;
    }
    const int levels = ranges_[technique].graded ? 1 : ranges_[technique].levels;
    for (int level = 0; level < levels; ++level) {
      way[technique] = level;
      add_combinations(way, technique + 1);
    }
    way[technique] = 0;
  }

  Choice at_start(Choice way) const {
    for (size_t technique = 0; technique < ranges_.size(); ++technique) {
      if (ranges_[technique].graded) way[technique] = 0;
    }
    return way;
  }

  // The graded techniques from `first` on at their last level, or `before_last` levels before it.
  Choice at_end(Choice way, size_t first, int before_last = 0) const {
    for (size_t technique = first; technique < ranges_.size(); ++technique) {
      if (ranges_[technique].graded) way[technique] = std::max(ranges_[technique].levels - 1 - before_last, 0);
    }
    return way;
  }

  std::vector<Choice> extremes() const {
    std::vector<Choice> ways = combinations_;
    for (const Choice& way : combinations_) {
      for (const int before_last : {0, 1}) {
        if (const Choice end = at_end(way, 0, before_last); end != ways.back() && end != way) ways.push_back(end);
      }
    }
    return ways;
  }

  bool may_fit(const Choice& way) { return pricing_.estimate(way).least_bytes <= budget_bytes_; }
  double seconds(const Choice& way) { return std::max(pricing_.estimate(way).seconds, floor_seconds_); }

  // Takes the way if it is faster than the best and its plan fits. False where only the plan says no.
  bool consider(const Choice& way) {
    if (!may_fit(way)) return false;
    if (seconds(way) >= best_seconds_) return true;
    if (pricing_.exact_bytes(way) > budget_bytes_) return false;
    best_ = way;
    best_seconds_ = seconds(way);
    return true;
  }

  // The first from `first` on that has levels to choose from; behind the last: none.
  size_t next_graded(size_t first) const {
    while (first < ranges_.size() && (!ranges_[first].graded || ranges_[first].levels == 1)) ++first;
    return first;
  }
  bool is_last_graded(size_t technique) const { return next_graded(technique + 1) == ranges_.size(); }

  // What the way takes at least: about as much as those of the combinations searched before that it is beyond, at its
  // own levels of the graded techniques, as far as they are known.
  double seconds_of_others(const Choice& way) {
    double least = 0;
    for (const Choice& other : searched_) {
      Choice same = way;
      bool is_beyond = true;
      for (size_t i = 0; i < ranges_.size(); ++i) {
        if (ranges_[i].graded) continue;
        is_beyond &= other[i] <= way[i];
        same[i] = other[i];
      }
      if (is_beyond && pricing_.has_estimate(same)) least = std::max(least, kAbout * pricing_.estimate(same).seconds);
    }
    return least;
  }

  // Whether no level of the last graded technique, this one, can be better than the best: those that others say take as
  // long do not count, and the leanest that is left does not fit. All other levels are set.
  bool is_hopeless(Choice& way, size_t technique) {
    if (!best_ || technique == ranges_.size() || !is_last_graded(technique)) return false;
    int level = 0;
    for (; level <= (*best_)[technique] + 1 && level < ranges_[technique].levels; ++level) {
      way[technique] = level;
      if (seconds_of_others(way) >= best_seconds_) break;
    }
    // Leaner levels than the best's are for a search that knows where this one's begin to fit.
    bool hopeless = level == 0;
    if (level <= (*best_)[technique] + 1) {
      for (int probes = 0; probes < kProbes && level > 0 && !hopeless; ++probes) {
        way[technique] = --level;
        hopeless = is_known_too_large(way, technique) || !may_fit(way);
        if (!hopeless && seconds(way) < best_seconds_) break;
      }
    }
    way[technique] = 0;
    return hopeless;
  }

  // By the estimate of a leaner level.
  bool is_known_too_large(Choice way, size_t technique) {
    for (; way[technique] < ranges_[technique].levels; ++way[technique]) {
      if (pricing_.has_estimate(way) && !may_fit(way)) return true;
    }
    return false;
  }

  // Levels of the graded techniques from `first` on; all others are set.
  void search_graded(Choice& way, size_t first) {
    const size_t technique = next_graded(first);
    if (technique == ranges_.size()) {
      consider(way);
      return;
    }
    if (consider(way)) return;
    if (is_last_graded(technique)) {
      search_last(way, technique);
    } else if (may_fit(at_end(way, technique))) {
      search_outer(way, technique);
    }
    way[technique] = 0;
  }

  // The first level that fits, where the bytes between two known levels would have it if they fell evenly, and halfway
  // where that closed in too slowly twice. Given up at a level that does not fit and takes as long as the best: looked
  // at first is the best's own.
  void search_last(Choice& way, size_t technique) {
    const int last = ranges_[technique].levels - 1;
    int too_fast = 0;
    int lean = last;
    const auto bytes_at = [&](int level) {
      way[technique] = level;
      return static_cast<double>(pricing_.estimate(way).least_bytes);
    };
    const auto budget = static_cast<double>(budget_bytes_);
    const auto may_be_better = [&](int level) {
      const bool fits = bytes_at(level) <= budget;
      (fits ? lean : too_fast) = level;
      return fits || seconds(way) < best_seconds_;
    };
    if (best_ && (*best_)[technique] > 0 && (*best_)[technique] < last && !may_be_better((*best_)[technique])) return;
    if (bytes_at(lean) > budget) return;
    bool halves = bytes_at(too_fast) <= budget;  // only its plan does not fit
    int slow = 0;                                // closings in a row
    while (lean - too_fast > 1) {
      const int width = lean - too_fast;
      const double bytes_too_fast = bytes_at(too_fast);
      const double part = halves ? 0.5 : (bytes_too_fast - budget) / (bytes_too_fast - bytes_at(lean));
      const int level = std::clamp(too_fast + static_cast<int>(part * width + 0.5), too_fast + 1, lean - 1);
      if (!may_be_better(level)) return;
      slow = 2 * (lean - too_fast) > width ? slow + 1 : 0;
      halves = slow > 1;
    }
    for (way[technique] = lean; way[technique] < ranges_[technique].levels; ++way[technique]) {
      if (consider(way)) break;  // the plan of a level that the bound lets through may yet be too large
    }
  }

  // The ends and the middle of this technique; when thorough, coarsely over it, and then closer around the best.
  void search_outer(Choice& way, size_t technique) {
    const int last = ranges_[technique].levels - 1;
    std::vector<bool> tried(static_cast<size_t>(last) + 1, false);
    const auto attempt = [&](int level) {
      if (level < 0 || level > last || tried[static_cast<size_t>(level)]) return;
      tried[static_cast<size_t>(level)] = true;
      way[technique] = level;
      if (!is_hopeless(way, next_graded(technique + 1)) && seconds(way) < best_seconds_)
        search_graded(way, technique + 1);
      for (size_t other = technique + 1; other < ranges_.size(); ++other) {
        if (ranges_[other].graded) way[other] = 0;
      }
    };
    attempt(0);
    attempt(last);
    attempt(last / 2);
    if (!is_thorough_) return;
    int step = std::max(1, last / 4);
    for (int level = step; level < last; level += step) attempt(level);
    while (step > 1 && best_ && (*best_)[technique] > 0) {
      step /= 2;
      const int around = (*best_)[technique];
      attempt(around - step);
      attempt(around + step);
    }
  }

  std::span<const LevelRange> ranges_;
  Pricing& pricing_;
  std::vector<Choice> combinations_;  // of the levels of techniques that are not graded; graded ones at their first
  int64_t budget_bytes_ = 0;
  double floor_seconds_ = 0;  // of the combination that is searched
  bool is_thorough_ = false;
  std::vector<Choice> searched_;
  std::optional<Choice> best_;
  double best_seconds_ = 0;
};

}  // namespace

const Estimate& Pricing::estimate(const Choice& way) {
  const auto found = estimates_.find(way);
  return found != estimates_.end() ? found->second : estimates_.emplace(way, find_estimate(way)).first->second;
}

int64_t Pricing::exact_bytes(const Choice& way) {
  const auto found = exact_.find(way);
  return found != exact_.end() ? found->second : exact_.emplace(way, find_exact_bytes(way)).first->second;
}

Tuned tune(std::span<const LevelRange> ranges, Pricing& pricing, int64_t budget_bytes) {
  Search search(ranges, pricing);
  Tuned tuned;
  tuned.choice = search.fastest(budget_bytes);
  if (tuned.choice && search.is_accepted(budget_bytes)) return tuned;
  tuned.leanest = search.leanest(tuned.smallest_bytes);
  if (tuned.smallest_bytes > budget_bytes) {
    tuned.choice.reset();
  } else if (!tuned.choice) {
    tuned.choice = tuned.leanest;
  }
  return tuned;
}

}  // namespace headroom
