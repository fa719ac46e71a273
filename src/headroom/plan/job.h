// The plan of a job: an offset in one arena for every byte that its graphs touch, known before anything is allocated.
//
// A job is a few graphs that run one at a time over shared persistent values, in the order of a schedule. Persistent
// are the graph inputs: weights, and what a later run reads of an earlier one. A name stands for one value in all
// graphs, or for several copies of it, of which a run uses the one of its slot. They lie first in the arena; behind
// them lies one region for what lives only while a graph runs, as large as the graph that needs most. Between graphs
// that region is free, and files are read and written through it. Every size is counted in whole lines of 64 bytes.
//
// Values in other tiers (Value::tier) have their places in the same way, in the host's memory and in one file:
// persistent ones first, and behind them what a graph keeps there while it runs. A job that has values on disk counts
// in pages of 4096 bytes, in memory as well.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"
#include "headroom/plan/schedule.h"

namespace headroom {

struct Job {
  std::vector<Graph> graphs;  // each passes verify()
  Processor processor = {};   // that they will run on
  int64_t staging_bytes = 0;  // that files need of the transient region, while no graph runs
  std::vector<Schedule> schedules = {};
  std::map<std::string, int32_t> slots = {};  // copies of a persistent value, where that is more than one

  // Throws InternalError when there is none.
  const Schedule& schedule(std::string_view name) const;
  Schedule& schedule(std::string_view name);
  int32_t slots_of(const std::string& value) const;
  // In which the graph can run: the fewest copies of those inputs that have several.
  int32_t slots_of(const Graph& graph) const;
  // Puts `graph` before graph `at`; rows go on naming the graphs that they named.
  void insert_graph(size_t at, Graph graph);
};

// Offsets count from the start of a tier: of the arena, of the host's memory, of the file. They are multiples of
// Plan::alignment_bytes; a value that no node makes has none.
inline constexpr int64_t kNoOffset = -1;

struct GraphPlan {
  std::string name;
  std::vector<int64_t> offsets_bytes;          // of each value; values that share storage share the offset
  std::vector<int64_t> scratch_offsets_bytes;  // of each node; kNoOffset where it needs none
  std::vector<int64_t> scratch_bytes;          // of each node, exactly what its kernel asks for
  std::vector<int64_t> live_bytes;             // at each node, all persistent values included
  int64_t transient_bytes = 0;                 // what this graph needs of the transient region
  int64_t lower_bound_bytes = 0;               // the largest of live_bytes
  int64_t host_transient_bytes = 0;  // what this graph needs of the host's memory behind the persistent values
  int64_t disk_transient_bytes = 0;  // and of the file
  int64_t disk_read_bytes = 0;       // each time the graph runs
  int64_t disk_written_bytes = 0;
  int32_t slots = 1;  // in which it can run
  // How far each value lies in a slot from where it lies in the slot before; empty where there is one slot.
  std::vector<int64_t> slot_bytes = {};

  // Of a value that has an offset, in a slot.
  int64_t offset_of(ValueId value, int32_t slot) const {
    const auto id = static_cast<size_t>(value);
    return offsets_bytes[id] + (slot_bytes.empty() ? 0 : slot * slot_bytes[id]);
  }
};

struct PersistentValue {
  std::string name;
  Type type;
  Role role = Role::input;
  int64_t offset_bytes = 0;  // of its first copy, in its tier
  Tier tier = Tier::device;
  int32_t slots = 1;       // copies
  int64_t slot_bytes = 0;  // from one copy to the next
  std::shared_ptr<const Binding> binding = nullptr;
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
  std::vector<PersistentValue> persistent;  // by offset in their tier
  std::vector<GraphPlan> graphs;            // as in the job
  std::vector<Schedule> schedules;          // the job's
  int threads = 1;
  int64_t arena_bytes = 0;  // persistent + transient
  int64_t persistent_bytes = 0;
  int64_t transient_bytes = 0;
  int64_t lower_bound_bytes = 0;  // no arena is smaller
  int64_t host_bytes = 0;         // of the host's memory behind a device; 0: nothing is there
  int64_t disk_bytes = 0;         // of the file; 0: nothing is on disk
  int64_t model_bytes = 0;        // of what stays in the model's files until a graph reads it
  int64_t alignment_bytes = 64;
  Peak peak;

  // The persistent value of that name, or null. Linear: for set-up.
  const PersistentValue* find(std::string_view name) const;
  const Schedule& schedule(std::string_view name) const;  // throws InternalError when there is none
  int64_t bytes_in(Tier tier) const;                      // of the whole tier
};

// Plans `job` and proves the plan with check_plan() and its schedules with check_schedules(). Deterministic. Throws
// InternalError when two graphs disagree about the type of an input, InvalidInput when sizes overflow.
Plan plan_job(const Job& job);

// "in the backward of layers.3 (attention_backward)".
std::string place_of(const Node& node);

}  // namespace headroom
