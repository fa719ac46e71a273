// The plan of a job: an offset in one arena for every byte that its graphs touch, known before anything is allocated.
//
// A job is a few graphs that run one at a time over shared persistent values. Persistent are the graph inputs; a name
// stands for one value in all graphs. They lie first in the arena; behind them lies one region for what lives only
// while a graph runs, as large as the graph that needs most. Between graphs that region is free, and files are read and
// written through it. Every size is counted in whole lines of 64 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

struct Job {
  std::vector<const Graph*> graphs;  // borrowed; each passes verify()
  int threads = 1;
  int64_t staging_bytes = 0;  // that files need of the transient region, while no graph runs
};

// Offsets count from the arena's start and are multiples of 64; a value that no node makes has none.
inline constexpr int64_t kNoOffset = -1;

struct GraphPlan {
  std::string name;
  std::vector<int64_t> offsets_bytes;          // of each value; values that share storage share the offset
  std::vector<int64_t> scratch_offsets_bytes;  // of each node; kNoOffset where it needs none
  std::vector<int64_t> scratch_bytes;          // of each node, exactly what its op asked for
  std::vector<int64_t> live_bytes;             // at each node, all persistent values included
  int64_t transient_bytes = 0;                 // what this graph needs of the transient region
  int64_t lower_bound_bytes = 0;               // the largest of live_bytes
};

struct PersistentValue {
  std::string name;
  Type type;
  Role role = Role::input;
  int64_t offset_bytes = 0;
};

struct LiveValue {
  std::string name;
  Role role = Role::activation;
  int64_t size_bytes = 0;
};

// The moment of a job when most bytes are alive.
struct Peak {
  int32_t graph = -1;                              // index in the job; -1: no graph runs, files are read or written
  int32_t node = -1;                               // -1: none
  std::string where;                               // "in the update of lm_head (adamw)"
  std::array<int64_t, kRoles> bytes_by_role = {};  // adds up to the job's lower bound
  std::vector<LiveValue> largest;                  // the largest alive, largest first, at most kLargestListed
};
inline constexpr size_t kLargestListed = 16;

struct Plan {
  std::vector<PersistentValue> persistent;  // by offset
  std::vector<GraphPlan> graphs;            // as in the job
  int threads = 1;
  int64_t arena_bytes = 0;  // persistent + transient
  int64_t persistent_bytes = 0;
  int64_t transient_bytes = 0;
  int64_t lower_bound_bytes = 0;  // no arena is smaller
  Peak peak;

  // The persistent value of that name, or null. Linear: for set-up.
  const PersistentValue* find(std::string_view name) const;
};

// Plans `job` and proves the plan with check_plan(). Deterministic. Throws InternalError when two graphs disagree about
// the type of an input, InvalidInput when sizes overflow.
Plan plan_job(const Job& job);

// "in the backward of layers.3 (attention_backward)".
std::string place_of(const Node& node);

}  // namespace headroom
