// A trace in the JSON of Chrome's trace viewer, which Perfetto (ui.perfetto.dev) reads: a track for each phase of each
// graph, a slice for each node; and beside compute, as processes of their own, the disk, each load and store from the
// node that begins it to the end of the one that has waited for it, and the network, each exchange with other ranks
// from the node that begins it until all had left and arrived. Written as it comes, so that its size is no matter of
// memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "headroom/base/atomic_file.h"
#include "headroom/graph/op.h"

namespace headroom {

class TraceFile {
 public:
  // After so many slices begins no run any more that would be written: a trace is for looking at.
  static constexpr int64_t kMostSlices = 500'000;

  // `graphs` are those of which runs will come; they are borrowed. Throws as AtomicFile does.
  TraceFile(const std::string& path, std::span<const Graph* const> graphs);

  // A run of one of the graphs: moments as RunObserver hears them, and what is alive in the arena at each node, which
  // becomes a track of its own.
  void add(const Graph& graph, std::span<const int64_t> moments_ns, std::span<const int64_t> live_bytes);

  // An exchange that node `begins` of one of the graphs began; before the run it belongs to is added.
  void add_exchange(const Graph& graph, size_t begins, int64_t begin_ns, int64_t done_ns);

  // The file appears.
  void finish();

 private:
  void write(std::string_view text);
  void add_transfer(const Graph& graph, size_t wait, std::span<const int64_t> moments_ns);
  struct Transferred {
    const Graph& graph;
    const Node& begins;
    ValueId value = kNoValue;  // that it is called after
    int track = 0;
    size_t values = 0;
  };
  void write_transfer(int process, const Transferred& transfer, int64_t begin_ns, int64_t end_ns);
  void flush();
  int track_of(const Graph& graph, Phase phase) const;

  AtomicFile file_;
  std::vector<const Graph*> graphs_;
  std::string buffer_;
  int64_t written_bytes_ = 0;
  int64_t slices_ = 0;
  int64_t transfers_ = 0;
  std::vector<int> processes_;  // that have their names
  int64_t origin_ns_ = -1;      // the begin of the first run is the trace's zero
  bool first_event_ = true;
};

}  // namespace headroom
