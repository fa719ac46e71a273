// What each op of a job took, and what was alive: a table by op and phase, all nodes as a file, a trace of a few steps
// for Perfetto, and memory over the time of one step as a picture (docs/profile.md).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "headroom/measure/machine.h"
#include "headroom/measure/memory_timeline.h"
#include "headroom/measure/trace_file.h"
#include "headroom/plan/report.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// The calls of one op in one phase, of all counted steps.
struct OpProfile {
  std::string_view op;
  Phase phase = Phase::forward;
  int64_t calls = 0;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;          // read and written, each operand once
  int64_t live_bytes = 0;    // in the arena at the call where most was
  double least_seconds = 0;  // that a machine at its limits would need: for each call the larger of its two times
};

class Profile : public RunObserver {
 public:
  // Memory that it takes: of each node, and beside that.
  static constexpr int64_t kNodeBytes = 2 * sizeof(int64_t);
  static constexpr int64_t kFixedBytes = 256 * 1024 + MemoryTimeline::kBytes;

  static constexpr int kTracedSteps = 3;

  // Observes every graph of `workspace`, which is borrowed. A step is a walk through the rows of `schedule`, which is
  // one of the workspace's plan and whose last graph runs for nothing else. The first step, which warms up, is left out
  // of the table unless it is the only one; the trace is of the kTracedSteps after it, in DIRECTORY/trace.json. Without
  // limits for the workspace's threads there are no shares of them. `budget` is what the picture holds the measured
  // memory against.
  Profile(Workspace& workspace, std::string_view schedule, const std::string& directory, const MachineLimits& limits,
          const ProcessBudget& budget = {});
  ~Profile() override;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void on_node(const Graph& graph, size_t node, int64_t moment_ns) override;
  void on_exchange(const Graph& graph, size_t begins, int64_t begin_ns, int64_t done_ns) override;
  void on_run(const Graph& graph, std::span<const int64_t> moments_ns) override;

  // Completes the trace, writes DIRECTORY/ops.json, nodes.csv and memory.html; returns tables for people.
  std::string finish();

 private:
  struct GraphTimes {
    const Graph* graph = nullptr;
    std::span<const int64_t> live_bytes;  // of the plan, at each node
    int64_t runs = 0;
    int64_t total_ns = 0;
    std::vector<int64_t> node_ns;
  };

  size_t place_of_graph(const Graph& graph) const;
  void forget();
  std::vector<OpProfile> ops() const;
  void write_nodes() const;
  std::string memory_table() const;

  Workspace& workspace_;
  size_t last_graph_;     // of a step
  int64_t runs_of_last_;  // in a step
  std::string directory_;
  ProcessBudget budget_;
  double flops_limit_ = 0;
  double bytes_limit_ = 0;
  std::vector<GraphTimes> graphs_;
  int64_t steps_ = 0;      // that have ended, the first one included
  int64_t last_runs_ = 0;  // of the last graph, in the step that runs
  bool warm_ = false;      // the first step is over and forgotten
  int64_t first_ns_ = 0;   // begin of the first run that counts
  int64_t last_ns_ = 0;    // end of the last one
  std::unique_ptr<TraceFile> trace_;
  MemoryTimeline timeline_;        // of the second step, or where there is but one, of that
  int64_t timeline_step_ = -1;     // that it is of
  int64_t timeline_begin_ns_ = 0;  // of that step; 0: its first run is not over
};

}  // namespace headroom
