#include "headroom/train/training_pricing.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/measure/op_profile.h"
#include "headroom/measure/profile.h"
#include "headroom/train/dataset.h"

namespace headroom {
namespace {

// Fixed buffers while a step runs: a row of tokens, metrics, the pieces of a checkpoint.
constexpr int64_t kBufferBytes = 3 * kMiB / 2;
constexpr int kListCopies =
    2;  // of named files, beside the given options: the run's, with a checkpoint's flags, and the request's
// While text is encoded: reading and writing buffers beside the tokenizer.
constexpr int64_t kEncodingBytes = 1 * kMiB;
constexpr int kLabelCopies = 2;  // of a classifier, in its config

ReserveInputs reserve_of(const TrainingRequest& request, const Model& model, bool has_adapter,
                         int64_t tokenizer_bytes) {
  ReserveInputs reserve;
  reserve.threads = request.threads;
  reserve.ranks = static_cast<int>(request.place.ranks);
  reserve.searched = true;
  reserve.buffer_bytes = kBufferBytes;
  for (const auto* list : {&request.data, &request.eval_data, &request.trace.disabled}) {
    reserve.text_bytes += named_text_bytes(*list, kListCopies);
  }
  reserve.text_bytes += config_bytes(request.model) + named_text_bytes(model.labels(), kLabelCopies);
  if (reads_text(request) && tokenizer_bytes > 0) {
    reserve.released_bytes = tokenizer_bytes + kEncodingBytes +
                             std::max(example_bound_bytes(request.model, request.data, request.seq_len),
                                      example_bound_bytes(request.model, request.eval_data, request.seq_len));
  }
  reserve.released_bytes = std::max(reserve.released_bytes, link_probe_bytes(model, request.place.ranks));
  if (request.profiles) {
    reserve.profile_node_bytes = Profile::kNodeBytes;
    reserve.buffer_bytes += Profile::kFixedBytes;
  }
  // Written anew at the end, while the arena is there; not beside an adapter.
  if (GgufFile::is_gguf(request.model) && !has_adapter) reserve.tokenizer_bytes = tokenizer_bytes;
  return reserve;
}

MachineRates rates_of(const TrainingRequest& request, const Backend& backend) {
  MachineRates rates = known_rates(backend, request.threads);
  if (!request.link) return rates;
  rates.network_bytes_per_second = request.link->bytes_per_second;
  rates.network_exchange_seconds = request.link->exchange_seconds;
  rates.network_processor_share = request.link->processor_share;
  rates.source += fmt::format(" and a link of {:.3g} GB/s, measured", 1e-9 * rates.network_bytes_per_second);
  return rates;
}

}  // namespace

int64_t link_probe_bytes(const Model& model, int64_t ranks) {
  int64_t elements = 0;
  for (const Parameter& parameter : model.parameters()) elements += parameter.shape.elements();
  return link_probe_bytes(elements, ranks);
}

TrainingPricing::TrainingPricing(const TrainingRequest& request, const Model& model, int64_t tokenizer_bytes)
    : model_(model),
      settings_(read_training_settings(request, model)),
      reserve_(reserve_of(request, model, settings_.shape.lora.is_on(), tokenizer_bytes)),
      backend_(choose_backend()),
      rates_(rates_of(request, backend_)),
      evaluates_(!request.eval_data.empty()) {
  trace_.verifies = false;  // the way that is taken is built again, and verified
  trace_.disabled = request.trace.disabled;
  for (const Technique* technique : techniques()) {
    std::optional<Levels> levels = technique->levels(settings_);
    if (!levels) continue;
    techniques_.push_back(technique);
    levels_.push_back(std::move(*levels));
  }
}

std::vector<LevelRange> TrainingPricing::ranges() const {
  std::vector<LevelRange> ranges;
  for (const Levels& levels : levels_) ranges.push_back({static_cast<int>(levels.words.size()), levels.graded});
  return ranges;
}

TrainingWay TrainingPricing::way_of(const Choice& levels) const {
  TrainingWay way{.shape = settings_.shape};
  way.processor = backend_.on(reserve_.threads);
  size_t next = 0;
  for (const Technique* technique : techniques()) {
    const bool has_levels = next < techniques_.size() && techniques_[next] == technique;
    technique->apply(settings_, has_levels ? levels[next++] : 0, way);
  }
  return way;
}

std::string TrainingPricing::describe(const Choice& levels) const {
  std::string text;
  for (size_t i = 0; i < levels_.size(); ++i) {
    const std::string& words = levels_[i].words[static_cast<size_t>(levels[i])];
    if (!words.empty()) text += (text.empty() ? "" : ", ") + words;
  }
  return text;
}

FittedTraining TrainingPricing::fit(const Choice& levels, const Budget& budget, PassTrace& trace) {
  let_go();
  const TrainingWay way = way_of(levels);
  const Candidate candidate{describe(levels),
                            [&] { return build_training_job(model_, way, settings_.updates, evaluates_, &trace); }};
  FittedTraining job{plan_candidate(candidate, budget, reserve_), way.shape};
  job.step_seconds = step_seconds(job);
  if (settings_.place.ranks > 1) {
    const auto on_lane = [&](Lane lane) {
      return step_seconds(job, [&](const Graph& graph) { return seconds_on_lane(graph, lane, rates_); });
    };
    job.compute_seconds = on_lane(Lane::compute);
    job.exchange_seconds = on_lane(Lane::network);
  }
  job.rates = rates_.source;
  return job;
}

std::vector<ChosenTechnique> TrainingPricing::explain(const Choice& levels) {
  std::vector<ChosenTechnique> techniques;
  const Estimate chosen = estimate(levels);
  for (size_t i = 0; i < levels_.size(); ++i) {
    ChosenTechnique one{.name = std::string(techniques_[i]->name()),
                        .choice = levels_[i].words[static_cast<size_t>(levels[i])],
                        .forced = levels_[i].forced};
    Choice without = levels;
    without[i] = 0;
    if (levels[i] > 0 && exists(without)) {
      const Estimate fast = estimate(without);
      one.saved_bytes = fast.least_bytes - chosen.least_bytes;
      one.seconds = chosen.seconds - fast.seconds;
    }
    techniques.push_back(std::move(one));
  }
  return techniques;
}

bool TrainingPricing::exists(const Choice& levels) const {
  const TrainingWay way = way_of(levels);
  for (size_t i = 0; i < levels.size(); ++i) {
    if (!techniques_[i]->allows(settings_, levels[i], way)) return false;
  }
  return true;
}

Estimate TrainingPricing::find_estimate(const Choice& levels) {
  Job job = resident_job(levels);
  settle_residence(job, way_of(levels), &trace_);
  return {step_seconds(job), least_peak_bytes(job, 0, reserve_)};
}

Job TrainingPricing::resident_job(const Choice& levels) {
  Choice resident = levels;
  for (size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].residence) resident[i] = 0;
  }
  const bool is_asked_again = resident == resident_levels_;
  if (is_asked_again && resident_job_) return *resident_job_;
  let_go();
  Job job = build_resident_job(model_, way_of(resident), settings_.updates, evaluates_, &trace_);
  if (is_asked_again) resident_job_ = job;
  resident_levels_ = std::move(resident);
  return job;
}

double TrainingPricing::step_seconds(const Job& job, const std::function<double(const Graph&)>& seconds_of_run) const {
  const std::vector<int64_t> runs = runs_of(job.schedule("update"), job.graphs.size());
  double seconds = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i] > 0) seconds += seconds_of_run(job.graphs[i]) * static_cast<double>(runs[i]);
  }
  return seconds;
}

double TrainingPricing::step_seconds(const Job& job) const {
  return step_seconds(job, [&](const Graph& graph) { return seconds_of(graph, rates_); });
}

}  // namespace headroom
