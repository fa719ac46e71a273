// The search for the fastest way to run a job within a budget. A technique has levels, from the fastest to the
// leanest; a choice is a level for each technique, and one way to run. What a way takes is asked of whoever knows the
// job: bytes are exact, by planning it, and bounded from below without; seconds are the cost model's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace headroom {

// Of a technique's levels, what the search must know.
struct LevelRange {
  int levels = 1;
  // Memory falls with the level and time rises: searched by halving. Others are tried level by level.
  bool graded = false;
};

using Choice = std::vector<int>;  // a level for each technique

struct Estimate {
  double seconds = 0;
  int64_t least_bytes = 0;  // of the process: none less will do
};

// Remembers what it said of each way, from budget to budget.
class Pricing {
 public:
  virtual ~Pricing() = default;
  // Whether the levels go together.
  virtual bool exists(const Choice& way) const = 0;
  const Estimate& estimate(const Choice& way);
  // What a plan of it takes.
  int64_t exact_bytes(const Choice& way);
  bool has_estimate(const Choice& way) const { return estimates_.contains(way); }
  bool has_exact_bytes(const Choice& way) const { return exact_.contains(way); }

 private:
  virtual Estimate find_estimate(const Choice& way) = 0;    // cheap
  virtual int64_t find_exact_bytes(const Choice& way) = 0;  // dear: asked of few

  std::map<Choice, Estimate> estimates_;
  std::map<Choice, int64_t> exact_;
};

struct Tuned {
  std::optional<Choice> choice;  // none: the budget is too small
  Choice leanest;                // takes smallest_bytes; set where `choice` is not
  int64_t smallest_bytes = 0;
};

// The way that takes the fewest seconds among those whose bytes are within `budget_bytes`: every combination of levels
// of techniques that are not graded, with the level of graded ones found by halving, so it is the fastest there is as
// long as their bytes fall and their seconds rise; with several graded techniques about the fastest. A level is never
// taken for faster than the one before it.
//
// What is accepted does not depend on what the search finds: the smallest budget is the least that any way takes whose
// graded techniques all stand at their first, all at their last, or all at the level before that. It works, so does
// every larger one, and none less.
Tuned tune(std::span<const LevelRange> ranges, Pricing& pricing, int64_t budget_bytes);

}  // namespace headroom
