#include "headroom/runtime/fit.h"

#include <algorithm>
#include <unordered_set>

#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

// Weights are read through a 64th of what they take, so that a large model gets all the blocks that a disk wants at
// once and a small one does not grow by them. Where graphs need more to run, reading has that.
int64_t staging_for_weights(const std::vector<Graph>& graphs) {
  std::unordered_set<std::string_view> seen;
  int64_t bytes = 0;
  for (const Graph& graph : graphs) {
    for (const ValueId id : graph.inputs) {
      const Value& value = graph.value(id);
      if (value.role == Role::weight && seen.insert(value.name).second) {
        bytes = add_sizes(bytes, value.bytes(), "the weights");
      }
    }
  }
  if (bytes == 0) return 0;
  return std::clamp(bytes / 64, BlockReader::kLeastStagingBytes, BlockReader::kMostStagingBytes);
}

FittedJob plan_candidate(const Candidate& candidate, const Budget& budget, ReserveInputs reserve) {
  FittedJob job;
  job.choice = candidate.choice;
  job.graphs = candidate.build();
  Job described{.graphs = {}, .threads = reserve.threads};
  reserve.graph_nodes = 0;
  for (const Graph& graph : job.graphs) {
    described.graphs.push_back(&graph);
    reserve.graph_nodes += static_cast<int64_t>(graph.nodes.size());
  }
  described.staging_bytes = std::max(candidate.staging_bytes, staging_for_weights(job.graphs));
  job.plan = plan_job(described);
  if (described.staging_bytes > 0) reserve.reading_threads = BlockReader::threads_for(job.plan.transient_bytes);
  reserve.arena_bytes = job.plan.arena_bytes;
  job.reserve_bytes = reserve_bytes(reserve);
  job.predicted_peak_bytes = job.plan.arena_bytes + job.reserve_bytes;
  job.budget = budget;
  return job;
}

[[noreturn]] void refuse(const FittedJob& leanest) {
  std::string largest;
  for (size_t i = 0; i < std::min<size_t>(leanest.plan.peak.largest.size(), 5); ++i) {
    const LiveValue& value = leanest.plan.peak.largest[i];
    largest += fmt::format("\n  {:>10}  {} ({})", format_bytes(value.size_bytes), value.name, name_of(value.role));
  }
  throw BudgetExceeded(
      leanest.predicted_peak_bytes,
      "this job does not fit --memory {}; the smallest budget that works is {} ({}): {} in the arena and {} for "
      "the process; largest at the peak, {}:{}",
      format_bytes_exactly(leanest.budget.bytes), format_bytes_exactly(leanest.predicted_peak_bytes), leanest.choice,
      format_bytes(leanest.plan.arena_bytes), format_bytes(leanest.reserve_bytes), leanest.plan.peak.where, largest);
}

}  // namespace

FittedJob fit_job(const std::vector<Candidate>& candidates, const Budget& budget, ReserveInputs reserve) {
  FittedJob leanest;
  for (size_t index = 0; index < candidates.size(); ++index) {
    FittedJob job = plan_candidate(candidates[index], budget, reserve);
    job.candidate = index;
    if (job.predicted_peak_bytes <= budget.bytes) return job;
    if (leanest.graphs.empty() || job.predicted_peak_bytes < leanest.predicted_peak_bytes) leanest = std::move(job);
  }
  refuse(leanest);
}

}  // namespace headroom
