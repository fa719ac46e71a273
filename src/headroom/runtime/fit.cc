#include "headroom/runtime/fit.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "headroom/backend/backend.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/plan/lifetimes.h"
#include "headroom/plan/report.h"

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

bool uses_disk(const std::vector<Graph>& graphs) {
  return std::any_of(graphs.begin(), graphs.end(), [](const Graph& graph) {
    return std::any_of(graph.values.begin(), graph.values.end(),
                       [](const Value& value) { return value.tier == Tier::disk || value.tier == Tier::model; });
  });
}

// Tensors of files that values of several are made of; graphs share the bindings that list them.
int64_t stacked_tensors(const std::vector<Graph>& graphs) {
  std::unordered_set<const Binding*> counted;
  int64_t tensors = 0;
  for (const Graph& graph : graphs) {
    for (const ValueId id : graph.inputs) {
      const Binding* binding = graph.value(id).binding.get();
      if (binding == nullptr || binding->slices.size() < 2 || !counted.insert(binding).second) continue;
      tensors += static_cast<int64_t>(binding->slices.size());
    }
  }
  return tensors;
}

// What of the reserve follows from a plan, or from the least that any plan takes.
int64_t reserve_for(ReserveInputs reserve, const Job& job, int64_t staging_bytes, int64_t transient_bytes,
                    int64_t arena_bytes) {
  reserve.graph_nodes = 0;
  int64_t nodes = 0;
  for (const Graph& graph : job.graphs) {
    reserve.graph_nodes = std::max(reserve.graph_nodes, static_cast<int64_t>(graph.nodes.size()));
    nodes += job.slots_of(graph) * static_cast<int64_t>(graph.nodes.size());
  }
  reserve.further_nodes = nodes - reserve.graph_nodes;
  reserve.stacked_tensors = stacked_tensors(job.graphs);
  if (staging_bytes > 0) reserve.reading_threads = BlockReader::threads_for(transient_bytes);
  if (uses_disk(job.graphs)) reserve.buffer_bytes += TransferStream::kReserveBytes;
  reserve.arena_bytes = arena_bytes;
  return reserve_bytes(reserve);
}

}  // namespace

FittedJob plan_candidate(const Candidate& candidate, const Budget& budget, ReserveInputs reserve) {
  FittedJob job;
  static_cast<Job&>(job) = candidate.build();
  job.choice = candidate.choice;
  job.processor = choose_backend().on(reserve.threads);
  job.staging_bytes = std::max(candidate.staging_bytes, staging_for_weights(job.graphs));
  job.plan = plan_job(job);
  job.reserve_bytes = reserve_for(reserve, job, job.staging_bytes, job.plan.transient_bytes, job.plan.arena_bytes);
  job.predicted_peak_bytes = job.plan.arena_bytes + job.reserve_bytes;
  job.budget = budget;
  return job;
}

int64_t least_peak_bytes(const Job& job, int64_t staging_bytes, ReserveInputs reserve) {
  const Processor processor = choose_backend().on(reserve.threads);
  staging_bytes = std::max(staging_bytes, staging_for_weights(job.graphs));
  std::unordered_set<std::string_view> seen;
  int64_t persistent_bytes = 0;
  int64_t transient_bytes = padded_bytes(staging_bytes, "the staging memory of files");
  for (const Graph& graph : job.graphs) {
    for (const ValueId id : graph.inputs) {
      const Value& value = graph.value(id);
      if (value.tier != Tier::device || !seen.insert(value.name).second) continue;
      const int64_t bytes =
          multiply_sizes(job.slots_of(value.name), padded_bytes(value.bytes(), value.name), value.name);
      persistent_bytes = add_sizes(persistent_bytes, bytes, "the persistent values");
    }
    const Lifetimes lifetimes = find_lifetimes(graph, processor);
    const std::vector<int64_t> live = live_bytes(lifetimes.blocks, static_cast<int32_t>(graph.nodes.size()));
    if (!live.empty()) transient_bytes = std::max(transient_bytes, *std::max_element(live.begin(), live.end()));
  }
  const int64_t arena_bytes = add_sizes(persistent_bytes, transient_bytes, "the arena");
  return add_sizes(arena_bytes, reserve_for(reserve, job, staging_bytes, transient_bytes, arena_bytes), "the process");
}

void refuse(const FittedJob& leanest, const std::string& advice) {
  std::string largest;
  for (size_t i = 0; i < std::min<size_t>(leanest.plan.peak.largest.size(), 5); ++i) {
    const LiveValue& value = leanest.plan.peak.largest[i];
    largest += fmt::format("\n  {:>10}  {} ({})", format_bytes(value.size_bytes), value.name, name_of(value.role));
  }
  throw BudgetExceeded(
      leanest.predicted_peak_bytes,
      "this job does not fit --memory {}{}; the smallest budget that works is {} ({}): {} in the arena and {} for "
      "the process; at the peak, {}: {}; largest:{}{}",
      format_bytes_exactly(leanest.budget.bytes), describe_claims(leanest.budget.claimed_bytes),
      format_bytes_exactly(leanest.predicted_peak_bytes), leanest.choice, format_bytes(leanest.plan.arena_bytes),
      format_bytes(leanest.reserve_bytes), leanest.plan.peak.where, breakdown(leanest.plan), largest, advice);
}

FirstFit find_first_fit(const std::vector<Candidate>& candidates, const Budget& budget, const ReserveInputs& reserve) {
  FirstFit found{.job = std::nullopt, .leanest = 0, .least_bytes = std::numeric_limits<int64_t>::max()};
  for (size_t index = 0; index < candidates.size(); ++index) {
    FittedJob job = plan_candidate(candidates[index], budget, reserve);
    job.candidate = index;
    if (job.predicted_peak_bytes < found.least_bytes) found.leanest = index;
    found.least_bytes = std::min(found.least_bytes, job.predicted_peak_bytes);
    if (job.predicted_peak_bytes > budget.bytes) continue;
    found.job = std::move(job);
    break;
  }
  return found;
}

FittedJob fit_job(const std::vector<Candidate>& candidates, const Budget& budget, ReserveInputs reserve) {
  FirstFit found = find_first_fit(candidates, budget, reserve);
  if (found.job) return std::move(*found.job);
  // Planned again: two at once would take what the reserve has no room for.
  refuse(plan_candidate(candidates[found.leanest], budget, reserve));
}

FittedJob fit_and_claim(const std::function<FittedJob()>& fit) {
  FittedJob job = fit();
  auto claims = std::make_shared<MemoryClaims>();
  const MemoryClaims::Turn turn(*claims);
  if (job.budget.automatic && missing_bytes(job.predicted_peak_bytes, *claims) > 0) job = fit();
  check_machine(job.predicted_peak_bytes, job.budget, *claims);
  claims->claim(job.predicted_peak_bytes);
  job.claims = claims;
  return job;
}

void check_disk_limit(const Plan& plan, const std::string& limit) {
  if (limit.empty()) return;
  const int64_t limit_bytes = parse_bytes(limit, "--disk-limit");
  if (plan.disk_bytes <= limit_bytes) return;
  throw BudgetExceeded(0, "this job keeps {} on disk in this --memory, more than --disk-limit {}; try a larger one",
                       format_bytes_exactly(plan.disk_bytes), format_bytes_exactly(limit_bytes));
}

void check_commit(const FittedJob& job) {
  check_reserve(job.predicted_peak_bytes);
  if (job.budget.automatic) check_machine(job.predicted_peak_bytes, job.budget, *job.claims);
}

}  // namespace headroom
