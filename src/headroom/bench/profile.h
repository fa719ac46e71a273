// What each op of a job took: a table by op and phase, and a trace of a few steps for Perfetto (docs/profile.md).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "headroom/bench/machine.h"
#include "headroom/bench/trace_file.h"
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
  double least_seconds = 0;  // that a machine at its limits would need: for each call the larger of its two times
};

class Profile : public RunObserver {
 public:
  // Memory that it takes: of each node, and beside that.
  static constexpr int64_t kNodeBytes = 2 * sizeof(int64_t);
  static constexpr int64_t kFixedBytes = 256 * 1024;

  static constexpr int kTracedSteps = 3;

  // Observes every graph of `workspace`, which is borrowed. A step ends with the graph `last_graph`. The first step,
  // which warms up, is left out of the table unless it is the only one; the trace is of the kTracedSteps after it, in
  // DIRECTORY/trace.json. Without limits for the workspace's threads there are no shares of them.
  Profile(Workspace& workspace, std::string last_graph, const std::string& directory, const MachineLimits& limits,
          Isa isa);
  ~Profile() override;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void on_run(const Graph& graph, std::span<const int64_t> moments_ns) override;

  // Completes the trace and writes DIRECTORY/ops.json; returns the same as a table for people.
  std::string finish();

 private:
  struct GraphTimes {
    const Graph* graph = nullptr;
    int64_t runs = 0;
    int64_t total_ns = 0;
    std::vector<int64_t> node_ns;
  };

  void forget();
  std::vector<OpProfile> ops() const;

  Workspace& workspace_;
  std::string last_graph_;
  std::string directory_;
  Isa isa_;
  double flops_limit_ = 0;
  double bytes_limit_ = 0;
  std::vector<GraphTimes> graphs_;
  int64_t steps_ = 0;     // that have ended, the first one included
  bool warm_ = false;     // the first step is over and forgotten
  int64_t first_ns_ = 0;  // begin of the first run that counts
  int64_t last_ns_ = 0;   // end of the last one
  std::unique_ptr<TraceFile> trace_;
};

}  // namespace headroom
