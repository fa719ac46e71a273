#include "headroom/train/tuner.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

namespace headroom {
namespace {

class Search {
 public:
  Search(std::span<const LevelRange> ranges, Pricing& pricing) : ranges_(ranges), pricing_(pricing) {
    Choice way(ranges.size(), 0);
    add_combinations(way, 0);
  }

  std::optional<Choice> fastest(int64_t budget_bytes) {
    budget_bytes_ = budget_bytes;
    best_.reset();
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

  // Levels of the graded techniques from `first` on; all others are set.
  void search_graded(Choice& way, size_t first) {
    size_t technique = first;
    while (technique < ranges_.size() && (!ranges_[technique].graded || ranges_[technique].levels == 1)) ++technique;
    if (technique == ranges_.size()) {
      consider(way);
      return;
    }
    if (consider(way)) return;
    const bool is_last = std::none_of(ranges_.begin() + static_cast<std::ptrdiff_t>(technique) + 1, ranges_.end(),
                                      [](const LevelRange& range) { return range.graded && range.levels > 1; });
    if (is_last) {
      search_last(way, technique);
    } else if (may_fit(at_end(way, technique))) {
      search_outer(way, technique);
    }
    way[technique] = 0;
  }

  // The first level that fits, where the bytes between two known levels would have it if they fell evenly, and halfway
  // where that closed in too slowly. Given up at a level that does not fit and takes as long as the best: looked at
  // first is the best's own.
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
    while (lean - too_fast > 1) {
      const int width = lean - too_fast;
      const double bytes_too_fast = bytes_at(too_fast);
      const double part = halves ? 0.5 : (bytes_too_fast - budget) / (bytes_too_fast - bytes_at(lean));
      const int level = std::clamp(too_fast + static_cast<int>(part * width + 0.5), too_fast + 1, lean - 1);
      if (!may_be_better(level)) return;
      halves = 2 * (lean - too_fast) > width;
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
      if (seconds(way) < best_seconds_) search_graded(way, technique + 1);
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
