#include "headroom/generate/streamed_weights.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/generate/spilled_cache.h"
#include "headroom/ops/embedding.h"
#include "headroom/passes/fetch_panels.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/pass.h"
#include "headroom/passes/prefetch.h"
#include "headroom/passes/rows_from_host.h"
#include "headroom/passes/stream_experts.h"

namespace headroom {
namespace {

// Read ahead of its use: what keeps a disk busy and two of the largest weights, but of small models a part.
constexpr int64_t kBusyBytes = 32 * kMiB;
constexpr int64_t kPartAhead = 16;
constexpr int kRounds = 6;  // of looking for how many weights can stay

using Arrangements = std::unordered_map<std::string, FileArrangement>;

using Names = std::unordered_set<std::string>;

// The host fills the rows of ids where the table of rows left the job, and no step reads the ids.
void fill_rows(Job& job) {
  for (Schedule& schedule : job.schedules) {
    for (Row& row : schedule.rows) {
      for (std::string& name : row.fills) {
        const std::string rows = name + std::string(kRowsSuffix);
        if (job.graphs[static_cast<size_t>(row.graph)].find(rows) != kNoValue) name = rows;
      }
    }
  }
}

// Of a weight that comes in panels, each has about panel_bytes.
void leave_in_files(Job& job, const Names& names, const StreamSource& source, int64_t panel_bytes, int64_t ahead_bytes,
                    const Processor& processor) {
  const OffloadPlan leaving{.values = names, .to = Tier::model};
  const std::vector<StreamSource::Table> tables = source.tables();
  Arrangements arrangements;
  for (const StreamSource::Weight& weight : source.weights()) {
    if (weight.arrangement) arrangements.emplace(weight.name, *weight.arrangement);
  }
  for (Graph& graph : job.graphs) {
    for (const StreamSource::Table& table : tables) {
      if (names.contains(table.name)) graph = rows_from_host(std::move(graph), table.name, table.prefix);
    }
    graph = run_passes(std::move(graph),
                       {{"panels", [&](Graph one) { return fetch_panels(std::move(one), names, panel_bytes); }, false},
                        {"stream", [&](Graph one) { return offload(std::move(one), leaving); }, false},
                        {"arrange", [&](Graph one) { return arrange_fetched(std::move(one), arrangements); }, false},
                        {"prefetch", [&](Graph one) { return prefetch(std::move(one), processor, ahead_bytes); }}});
  }
  fill_rows(job);
}

// The ways with experts in slots: as few as a step can do with, or `more` than that.
class ExpertWays {
 public:
  ExpertWays(const std::vector<Candidate>& ways, const StreamSource& source) : ways_(ways), source_(source) {}

  // The fastest way that fits, with as many slots as fit beside it. Nothing where none does, or no graph has experts.
  std::optional<FittedJob> fit(const Budget& budget, const ReserveInputs& reserve) {
    for (size_t way = 0; way < ways_.size(); ++way) {
      const StreamedExperts experts = experts_of(ways_[way].build());
      if (experts.layers == 0) return std::nullopt;
      FittedJob job = plan_candidate(candidate(way, 0), budget, reserve);
      if (job.predicted_peak_bytes > budget.bytes) continue;
      int64_t more = 0;
      int64_t next = (budget.bytes - job.predicted_peak_bytes) / experts.record_bytes;
      for (int round = 0; round < kRounds; ++round) {
        next = std::min(next, experts.all() - experts.most);
        if (next <= more) break;
        FittedJob larger = plan_candidate(candidate(way, next), budget, reserve);
        const int64_t left = budget.bytes - larger.predicted_peak_bytes;
        if (left >= 0) {
          more = next;
          job = std::move(larger);
        }
        next += left >= 0 ? left / experts.record_bytes : left / experts.record_bytes - 1;
      }
      job.candidate = way;
      return job;
    }
    return std::nullopt;
  }

  // Each with as few slots as it can do with: for what leaves beside the experts.
  std::vector<Candidate> leanest() const {
    std::vector<Candidate> all;
    for (size_t way = 0; way < ways_.size(); ++way) all.push_back(candidate(way, 0));
    return all;
  }

 private:
  StreamedExperts experts_of(const Job& job) const {
    StreamedExperts most;
    for (const Graph& graph : job.graphs) {
      const StreamedExperts experts = find_streamed_experts(graph, source_.stacks());
      if (experts.most >= most.most) most = experts;
    }
    return most;
  }

  Candidate candidate(size_t way, int64_t more) const {
    Candidate changed = ways_[way];
    changed.choice +=
        more == 0 ? "; experts stay in the model's files, read as tokens need them"
                  : fmt::format("; experts stay in the model's files, {} more than a step needs in memory", more);
    changed.build = [this, way, more] {
      Job job = ways_[way].build();
      const int64_t slots = experts_of(job).most + more;
      for (Graph& graph : job.graphs) {
        graph = run_passes(
            std::move(graph),
            {{"experts", [&](Graph one) { return stream_experts(std::move(one), source_.stacks(), slots); }, false}});
      }
      return job;
    };
    return changed;
  }

  const std::vector<Candidate>& ways_;
  const StreamSource& source_;
};

class Streaming {
 public:
  Streaming(const std::vector<Candidate>& ways, const StreamSource& source, const Budget& budget,
            const ReserveInputs& reserve)
      : ways_(ways), source_(source), budget_(budget), resident_reserve_(reserve) {}

  // The output layer, which is read whole for every token, leaves only where it must. Nothing where no way fits.
  std::optional<FittedJob> fit() {
    for (const size_t count : {source_.before_output(), source_.weights().size()}) {
      take(count);
      if (std::optional<FittedJob> job = fit_some()) return job;
    }
    return std::nullopt;
  }

  // The leanest plan that was looked at.
  int64_t least_bytes() const { return least_.bytes; }
  FittedJob leanest() {
    take(least_.count);
    return plan(least_.way, all_, least_.ahead);
  }

 private:
  void take(size_t count) {
    all_.clear();
    all_bytes_ = largest_ = panel_bytes_ = 0;
    bool is_aligned = true;
    for (size_t i = 0; i < count; ++i) {
      const StreamSource::Weight& weight = source_.weights()[i];
      all_.insert(weight.name);
      all_bytes_ += weight.bytes;
      if (i < source_.before_output() && source_.is_table(weight.name)) continue;
      largest_ = std::max(largest_, weight.bytes);
      if (i < source_.before_output()) panel_bytes_ = largest_;
      is_aligned &= weight.is_aligned;
    }
    reserve_ = resident_reserve_;
    if (!is_aligned) reserve_.buffer_bytes += TransferStream::kCopyBytes;
  }

  // The leanest way says whether one fits.
  std::optional<FittedJob> fit_some() {
    for (const int64_t ahead : {ahead_bytes(), piece_bytes(), int64_t{0}}) {
      if (room_of(ways_.size() - 1, ahead) >= 0) return fit_best(ahead);
    }
    return std::nullopt;
  }

  FittedJob fit_best(int64_t ahead) {
    size_t best = ways_.size() - 1;
    int64_t room = 0;
    double least_read = std::numeric_limits<double>::infinity();
    for (size_t way = 0; way < ways_.size(); ++way) {
      const int64_t left = room_of(way, ahead);
      if (left < 0) continue;
      const double read = static_cast<double>(std::max<int64_t>(all_bytes_ - left, 1)) * ways_[way].sweeps;
      if (read >= least_read) break;  // so do those that are leaner still
      best = way;
      room = left;
      least_read = read;
    }
    return keep(best, ahead, room);
  }

  // What the budget has left beside the way with all of the weights in the files.
  int64_t room_of(size_t way, int64_t ahead) {
    const int64_t bytes = plan(way, all_, ahead).predicted_peak_bytes;
    if (bytes < least_.bytes) least_ = {bytes, way, all_.size(), ahead};
    return budget_.bytes - bytes;
  }

  // What comes to memory at once, at most.
  int64_t piece_bytes() const { return panel_bytes_ > 0 ? panel_bytes_ : largest_; }

  int64_t ahead_bytes() const {
    const int64_t piece = piece_bytes();
    return std::max(std::min(std::max(kBusyBytes, 2 * piece), all_bytes_ / kPartAhead), piece);
  }

  FittedJob plan(size_t way, const Names& names, int64_t ahead) const {
    int64_t bytes = 0;
    for (const StreamSource::Weight& weight : source_.weights()) {
      if (names.contains(weight.name)) bytes += weight.bytes;
    }
    const std::string choice =
        fmt::format("{}; {} of {} of the weights of {} stay in the model's files, read as steps need them",
                    ways_[way].choice, format_bytes(bytes), format_bytes(all_bytes_), owners());
    FittedJob job = plan_candidate({choice,
                                    [&] {
                                      Job built = ways_[way].build();
                                      leave_in_files(built, names, source_, panel_bytes_, ahead,
                                                     choose_backend().on(reserve_.threads));
                                      return built;
                                    }},
                                   budget_, reserve_);
    job.candidate = way;
    return job;
  }

  // Of all weights that may leave.
  const char* owners() const {
    const bool has_output = all_.size() > source_.before_output();
    const bool has_table =
        std::any_of(all_.begin(), all_.end(), [&](const std::string& name) { return source_.is_table(name); });
    if (!has_table) return has_output ? "layers and output" : "the layers";
    return has_output ? "embedding, layers and output" : "embedding and layers";
  }

  // The weights that leave where `room` bytes of them stay.
  Names leaving(int64_t room) const {
    Names names = all_;
    const auto& weights = source_.weights();
    for (size_t i = weights.size(); i-- > 0;) {
      if (weights[i].bytes > room || !names.contains(weights[i].name)) continue;
      room -= weights[i].bytes;
      names.erase(weights[i].name);
    }
    return names;
  }

  // As many weights as `room` holds come back to memory, and more by what the plan then has left: a weight that stays
  // needs no nodes. Of what a plan is above the budget by, weights leave again.
  FittedJob keep(size_t way, int64_t ahead, int64_t room) const {
    int64_t fits = 0;
    for (int round = 0; round < kRounds; ++round) {
      const int64_t left = budget_.bytes - plan(way, leaving(room), ahead).predicted_peak_bytes;
      if (left >= 0) fits = room;
      int64_t next = room + left;
      if (leaving(next) == leaving(room)) {
        if (left >= 0) break;
        next = room - largest_;
      }
      if (next <= fits) break;
      room = next;
    }
    return plan(way, leaving(fits), ahead);
  }

  const std::vector<Candidate>& ways_;
  const StreamSource& source_;
  const Budget& budget_;
  const ReserveInputs& resident_reserve_;
  ReserveInputs reserve_;
  Names all_;
  int64_t all_bytes_ = 0;
  int64_t largest_ = 0;
  int64_t panel_bytes_ = 0;  // the largest of the layers' weights
  struct Least {
    int64_t bytes = std::numeric_limits<int64_t>::max();
    size_t way = 0;
    size_t count = 0;
    int64_t ahead = 0;
  };
  Least least_;
};

}  // namespace

FittedJob fit_streamed(const std::vector<Candidate>& ways, const StreamSource* source, const Budget& budget,
                       ReserveInputs reserve, bool has_disk) {
  FirstFit resident = find_first_fit(ways, budget, reserve);
  if (resident.job) return std::move(*resident.job);
  int64_t least_bytes = resident.least_bytes;
  std::function<FittedJob()> leanest = [&] { return plan_candidate(ways[resident.leanest], budget, reserve); };
  const auto note = [&](int64_t bytes, std::function<FittedJob()> plan) {
    if (bytes < least_bytes) leanest = std::move(plan);
    least_bytes = std::min(least_bytes, bytes);
  };
  if (has_disk) {
    int64_t bytes = std::numeric_limits<int64_t>::max();
    if (std::optional<FittedJob> job = fit_spilled(ways, budget, reserve, bytes)) return std::move(*job);
    note(bytes, [&] { return leanest_spilled(ways, budget, reserve); });
  }
  if (source == nullptr || source->weights().empty()) refuse(leanest());
  std::vector<Candidate> in_slots;
  std::optional<ExpertWays> experts;
  if (!source->stacks().empty()) {
    reserve.buffer_bytes += source->stack_bytes();
    if (!source->stacks_are_aligned()) reserve.buffer_bytes += TransferStream::kCopyBytes;
    experts.emplace(ways, *source);
    if (std::optional<FittedJob> job = experts->fit(budget, reserve)) return std::move(*job);
    in_slots = experts->leanest();
  }
  Streaming streaming(in_slots.empty() ? ways : in_slots, *source, budget, reserve);
  if (std::optional<FittedJob> job = streaming.fit()) return std::move(*job);
  note(streaming.least_bytes(), [&] { return streaming.leanest(); });
  const std::vector<Candidate> spilled = has_disk ? spill_all(ways) : std::vector<Candidate>();
  std::optional<Streaming> both;
  if (has_disk) {
    both.emplace(spilled, *source, budget, reserve);
    if (std::optional<FittedJob> job = both->fit()) return std::move(*job);
    note(both->least_bytes(), [&] { return both->leanest(); });
  }
  refuse(leanest());
}

}  // namespace headroom
