#include "headroom/train/training_pricing.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/measure/profile.h"
#include "headroom/train/dataset.h"
#include "headroom/train/machine_rates.h"

namespace headroom {
namespace {

// Fixed buffers while a step runs: a row of tokens, metrics, the pieces of a checkpoint.
constexpr int64_t kBufferBytes = 1 * kMiB;
// While text is encoded: reading and writing buffers beside the tokenizer.
constexpr int64_t kEncodingBytes = 1 * kMiB;

ReserveInputs reserve_of(const TrainingRequest& options, int64_t tokenizer_bytes) {
  ReserveInputs reserve;
  reserve.threads = options.threads;
  reserve.buffer_bytes = kBufferBytes;
  if (tokenizer_bytes > 0) {
    reserve.released_bytes = tokenizer_bytes + kEncodingBytes +
                             std::max(example_bound_bytes(options.model, options.data, options.seq_len),
                                      example_bound_bytes(options.model, options.eval_data, options.seq_len));
  }
  if (options.profiles) {
    reserve.profile_node_bytes = Profile::kNodeBytes;
    reserve.buffer_bytes += Profile::kFixedBytes;
  }
  // Written anew at the end, while the arena is there.
  if (GgufFile::is_gguf(options.model)) reserve.tokenizer_bytes = tokenizer_bytes;
  return reserve;
}

}  // namespace

TrainingPricing::TrainingPricing(const TrainingRequest& options, const Model& model, int64_t tokenizer_bytes)
    : model_(model),
      settings_(read_training_settings(options, model)),
      levers_(training_levers(options, settings_.shape)),
      reserve_(reserve_of(options, tokenizer_bytes)),
      rates_(known_rates(choose_isa(), reserve_.threads)),
      evaluates_(!options.eval_data.empty()) {
  trace_.verifies = false;  // the way that is taken is built again, and verified
  trace_.disabled = options.trace.disabled;
}

FittedTraining TrainingPricing::fit(const Way& levels, const Budget& budget, PassTrace& trace) const {
  const TrainingWay way = way_of(levers_, settings_.shape, levels);
  const Candidate candidate{describe(levers_, levels), [&] { return graphs_of(way, trace); }};
  FittedTraining job{plan_candidate(candidate, budget, reserve_), way.shape};
  job.step_seconds = step_seconds(job.graphs, way.shape);
  job.rates = rates_.source;
  return job;
}

std::vector<ChosenTechnique> TrainingPricing::explain(const Way& levels) {
  std::vector<ChosenTechnique> techniques;
  const Estimate chosen = estimate(levels);
  for (size_t i = 0; i < levers_.size(); ++i) {
    ChosenTechnique one{.name = levers_[i].name,
                        .choice = levers_[i].levels[static_cast<size_t>(levels[i])],
                        .forced = levers_[i].forced};
    Way without = levels;
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

bool TrainingPricing::exists(const Way& levels) const {
  return allows(levers_, way_of(levers_, settings_.shape, levels));
}

Estimate TrainingPricing::estimate(const Way& levels) {
  const TrainingWay way = way_of(levers_, settings_.shape, levels);
  const std::vector<Graph> graphs = graphs_of(way, trace_);
  return {step_seconds(graphs, way.shape), least_peak_bytes(graphs, 0, reserve_)};
}

std::vector<Graph> TrainingPricing::graphs_of(const TrainingWay& way, PassTrace& trace) const {
  return build_training_graphs(model_, way.shape, settings_.updates, way.techniques, evaluates_, &trace).graphs;
}

double TrainingPricing::step_seconds(const std::vector<Graph>& graphs, const TrainingShape& shape) const {
  double seconds = 0;
  for (const Graph& graph : graphs) {
    seconds += seconds_of(graph, rates_) * static_cast<double>(runs_of(graph.name, shape));
  }
  return seconds;
}

}  // namespace headroom
