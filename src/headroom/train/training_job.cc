#include "headroom/train/training_job.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/threads.h"
#include "headroom/bench/profile.h"
#include "headroom/formats/gguf_file.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/plan/cost_model.h"
#include "headroom/train/activation_compression.h"
#include "headroom/train/clip_mode.h"
#include "headroom/train/data_shards.h"
#include "headroom/train/dataset.h"
#include "headroom/train/levers.h"
#include "headroom/train/tokenizer_encoder.h"

namespace headroom {
namespace {

// Fixed buffers while a step runs: a row of tokens, metrics, the pieces of a checkpoint.
constexpr int64_t kBufferBytes = 1 * kMiB;
// While text is encoded: reading and writing buffers beside the tokenizer.
constexpr int64_t kEncodingBytes = 1 * kMiB;

constexpr int64_t kMostSteps = int64_t{1} << 40;

void expect_flag(bool holds, const char* flag, double got, const std::string& expected) {
  if (!holds) throw InvalidInput("{} {}: expected {}", flag, got, expected);
}

void expect_count(const char* flag, int64_t got, int64_t least) {
  if (got < least) throw InvalidInput("{} {}: expected a number of {} or more", flag, got, least);
}

TrainingShape read_shape(const TrainOptions& options, const Model& model) {
  expect_count("--batch-size", options.batch_size, 1);
  expect_count("--grad-accum", options.grad_accum, 0);
  expect_count("--seq-len", options.seq_len, 2);
  if (options.grad_accum > 0 && options.batch_size % options.grad_accum != 0) {
    throw InvalidInput("--grad-accum {}: expected a divisor of --batch-size {}, or 0 for what the budget asks",
                       options.grad_accum, options.batch_size);
  }
  if (options.seq_len - 1 > model.max_positions()) {
    throw InvalidInput("--seq-len {}: the model has {} positions; expected at most {}", options.seq_len,
                       model.max_positions(), model.max_positions() + 1);
  }
  if (multiply_sizes(options.batch_size, options.seq_len, "--batch-size x --seq-len") > int64_t{1} << 30) {
    throw InvalidInput("--batch-size {} x --seq-len {}: expected at most 2^30 tokens an update", options.batch_size,
                       options.seq_len);
  }
  if (options.isolate_documents && !options.tokens.empty()) {
    throw InvalidInput("--isolate-documents: expected with --data; --tokens gives rows without documents");
  }
  const int64_t micro_batches = micro_batches_with_shards(options);
  return {.micro_rows = options.batch_size / micro_batches,
          .micro_batches = micro_batches,
          .seq_len = options.seq_len,
          .documents_per_row = options.isolate_documents || reads_examples(options) ? options.seq_len / 2 : 1,
          .data_shards = options.data_shards,
          .lora = read_lora(options, model)};
}

Optimizer parse_optimizer(const std::string& name) {
  if (name == "adamw") return Optimizer::adamw;
  if (name == "adamw8bit") return Optimizer::adamw8bit;
  if (name == "sgd") return Optimizer::sgd;
  throw InvalidInput("--optimizer {}: unknown optimizer; expected adamw, adamw8bit or sgd", name);
}

UpdateSettings read_updates(const TrainOptions& options) {
  expect_flag(options.beta1 >= 0 && options.beta1 < 1, "--beta1", options.beta1, "0 <= beta1 < 1");
  expect_flag(options.beta2 >= 0 && options.beta2 < 1, "--beta2", options.beta2, "0 <= beta2 < 1");
  expect_flag(options.eps >= 0 && std::isfinite(options.eps), "--eps", options.eps, "0 or more");
  expect_flag(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "--weight-decay", options.weight_decay,
              "0 or more");
  expect_flag(options.grad_clip >= 0 && std::isfinite(options.grad_clip), "--grad-clip", options.grad_clip,
              "0 (off) or more");
  UpdateSettings updates;
  updates.optimizer = parse_optimizer(options.optimizer);
  updates.beta1 = options.beta1;
  updates.beta2 = options.beta2;
  updates.eps = options.eps;
  updates.weight_decay = options.weight_decay;
  updates.grad_clip = options.grad_clip;
  updates.clip_tensors = clips_tensors(options);
  return updates;
}

LrSettings read_lr(const TrainOptions& options) {
  expect_flag(options.lr >= 0 && std::isfinite(options.lr), "--lr", options.lr, "0 or more");
  expect_count("--warmup-steps", options.warmup_steps, 0);
  expect_count("--steps", options.steps, 0);
  if (options.steps > kMostSteps) throw InvalidInput("--steps {}: expected at most {}", options.steps, kMostSteps);
  return {parse_lr_schedule(options.lr_schedule), options.lr, options.warmup_steps, options.steps};
}

ReserveInputs reserve_of(const TrainOptions& options, int64_t tokenizer_bytes) {
  ReserveInputs reserve;
  reserve.threads = threads_to_use(options.threads);
  reserve.buffer_bytes = kBufferBytes;
  if (tokenizer_bytes > 0) {
    reserve.released_bytes = tokenizer_bytes + kEncodingBytes +
                             std::max(example_bound_bytes(options.model, options.data, options.seq_len),
                                      example_bound_bytes(options.model, options.eval_data, options.seq_len));
  }
  if (!options.profile.empty()) {
    reserve.profile_node_bytes = Profile::kNodeBytes;
    reserve.buffer_bytes += Profile::kFixedBytes;
  }
  // Written anew at the end, while the arena is there.
  if (GgufFile::is_gguf(options.model)) reserve.tokenizer_bytes = tokenizer_bytes;
  return reserve;
}

// What the ways of a training job take.
class TrainingPricing final : public Pricing {
 public:
  TrainingPricing(const TrainOptions& options, const Model& model, int64_t tokenizer_bytes)
      : model_(model),
        settings_(read_training_settings(options, model)),
        levers_(training_levers(options, settings_.shape)),
        reserve_(reserve_of(options, tokenizer_bytes)),
        rates_(typical_rates(reserve_.threads)),
        evaluates_(!options.eval_data.empty()) {
    trace_.disabled = options.disable_passes;
  }

  const std::vector<Lever>& levers() const { return levers_; }
  TrainingWay way_of(const Way& levels) const { return headroom::way_of(levers_, settings_.shape, levels); }
  // Passes that some way could have left out.
  const std::vector<std::string>& optional_passes() const { return trace_.optional; }

  FittedTraining fit(const Way& levels, const Budget& budget, PassTrace& trace) const {
    const TrainingWay way = way_of(levels);
    const Candidate candidate{describe(levers_, levels), [&] { return graphs_of(way, trace); }};
    return {plan_candidate(candidate, budget, reserve_), way.shape};
  }

  bool exists(const Way& levels) const override { return allows(levers_, way_of(levels)); }

  Estimate estimate(const Way& levels) override {
    const TrainingWay way = way_of(levels);
    const std::vector<Graph> graphs = graphs_of(way, trace_);
    return {step_seconds(graphs, way.shape), least_peak_bytes(graphs, 0, reserve_)};
  }

  int64_t exact_bytes(const Way& levels) override { return fit(levels, {}, trace_).predicted_peak_bytes; }

 private:
  std::vector<Graph> graphs_of(const TrainingWay& way, PassTrace& trace) const {
    return build_training_graphs(model_, way.shape, settings_.updates, way.techniques, evaluates_, &trace).graphs;
  }

  double step_seconds(const std::vector<Graph>& graphs, const TrainingShape& shape) const {
    double seconds = 0;
    for (const Graph& graph : graphs) {
      seconds += seconds_of(graph, rates_) * static_cast<double>(runs_of(graph.name, shape));
    }
    return seconds;
  }

  const Model& model_;
  const TrainingSettings settings_;
  const std::vector<Lever> levers_;
  const ReserveInputs reserve_;
  const MachineRates rates_;
  const bool evaluates_;
  PassTrace trace_;
};

}  // namespace

TrainingSettings read_training_settings(const TrainOptions& options, const Model& model) {
  return {read_shape(options, model), read_updates(options), read_lr(options)};
}

FittedTraining fit_training(const TrainOptions& options, const Model& model, int64_t tokenizer_bytes) {
  TrainingPricing pricing(options, model, tokenizer_bytes);
  const Budget budget = resolve_budget(options.memory);
  PassTrace trace = trace_passes(options);
  const Tuned tuned = tune(ranges_of(pricing.levers()), pricing, budget.bytes);
  FittedTraining job = pricing.fit(tuned.way.value_or(tuned.leanest), budget, trace);
  if (!tuned.way) refuse(job);
  trace.optional = pricing.optional_passes();
  finish_trace(trace, options);
  job.choice += describe_compression(job.graphs);
  return job;
}

}  // namespace headroom
