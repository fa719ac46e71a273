// What a training technique says about itself, all of it and once: its flags, what it excludes, the levels that the
// tuner chooses among, what it offers to a run that does not fit, what of it changes the numbers. One file a technique,
// found through a table that the linker collects: adding one edits no list. The command line, its help, the tuner,
// refusals and checks of --resume are made from this table (docs/tuner.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/plan/job.h"
#include "headroom/techniques/flag.h"
#include "headroom/techniques/training_settings.h"

namespace headroom {

// How far a technique can go, from the fastest to the leanest.
struct Levels {
  std::vector<std::string> words = {};  // of each, for the plan's table: "checkpointing 3/16"; empty: nothing to say
  bool graded = false;                  // memory falls with the level and time rises
  bool forced = false;                  // a flag left it a single level
  bool residence = false;               // rewrites of JobPhase::residence are all that tells its levels apart
};

// What does not go together, and why.
struct Exclusion {
  std::function<bool(const TrainingSettings&)> holds;
  std::string_view refusal;  // a sentence in which {--flag} stands for that flag's value
};

// A flag that a refused run could be given.
struct Offer {
  // What it costs; those of less are named first.
  enum class Cost : uint8_t { nothing, traffic, numbers, capacity, optimizer };
  std::string_view flags;  // "--clip-mode tensor"
  Cost cost = Cost::nothing;
  std::string_view price;                        // the cost in words: "other numbers"
  std::function<bool(TechniqueRequest&)> apply;  // false: there is nothing to change
};

// Sets a flag that stands at another value.
std::function<bool(TechniqueRequest&)> set_flag(std::string_view flag, std::string_view value);
// Sets a flag that stands at `from`.
std::function<bool(TechniqueRequest&)> set_flag(std::string_view flag, std::string_view value, std::string_view from);

class Technique {
 public:
  // `place` orders techniques in the plan's table and wherever else they are listed.
  Technique(std::string_view name, int place) : name_(name), place_(place) {}
  virtual ~Technique() = default;
  Technique(const Technique&) = delete;
  Technique& operator=(const Technique&) = delete;

  std::string_view name() const { return name_; }
  int place() const { return place_; }

  virtual std::vector<Flag> flags() const { return {}; }

  // From the flags into the members that other parts of a run need. Throws InvalidInput naming the flag that is out of
  // range or does not fit the model.
  virtual void read(const Model&, TrainingSettings&) const {}

  // Asked when all techniques have read their flags.
  virtual std::vector<Exclusion> exclusions() const { return {}; }

  // What the tuner chooses among; none for a technique that is only used when asked for and has no line in the table.
  virtual std::optional<Levels> levels(const TrainingSettings&) const { return std::nullopt; }
  // Makes a run what it is at that level, 0 where there are none: its shape and the rewrites of its graphs.
  virtual void apply(const TrainingSettings&, int /*level*/, TrainingWay&) const {}
  // Where not all levels of others go with all of its own: asked when all have been taken.
  virtual bool allows(const TrainingSettings&, int /*level*/, const TrainingWay&) const { return true; }

  virtual std::vector<Offer> offers() const { return {}; }

  // Adds what of it changes the numbers: a run that is resumed must have the same.
  virtual void add_numbers(const TrainingSettings&, const Model&, RunSettings&) const {}

  // Of a job that was chosen: throws BudgetExceeded where it takes more than was allowed ...
  virtual void check(const TrainingSettings&, const Plan&) const {}
  // ... and says what it achieved: ", activations kept in ..."; mostly nothing.
  virtual std::string describe(const std::vector<Graph>&) const { return ""; }

 private:
  std::string_view name_;
  int place_;
};

// All of them, by place.
const std::vector<const Technique*>& techniques();

// Null for a name that no technique's flag has.
const Flag* find_flag(std::string_view name);

// Lets every technique read its flags from `settings`, whose other members are set, and throws InvalidInput for what is
// out of range or excluded.
void read_techniques(const Model& model, TrainingSettings& settings);

}  // namespace headroom

// In a technique's source file, at global scope: adds the constant `object` (of a class derived from Technique) to the
// table.
#define HEADROOM_TECHNIQUE(object) \
  [[gnu::used, gnu::section("headroom_techniques")]] static const headroom::Technique* const object##_entry = &(object)
