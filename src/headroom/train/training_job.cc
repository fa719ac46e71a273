#include "headroom/train/training_job.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/train/activation_compression.h"
#include "headroom/train/clip_mode.h"
#include "headroom/train/data_shards.h"
#include "headroom/train/dataset.h"
#include "headroom/train/offload_choice.h"
#include "headroom/train/training_pricing.h"
#include "headroom/train/what_would_fit.h"

namespace headroom {
namespace {

constexpr int64_t kMostSteps = int64_t{1} << 40;

void expect_flag(bool holds, const char* flag, double got, const std::string& expected) {
  if (!holds) throw InvalidInput("{} {}: expected {}", flag, got, expected);
}

void expect_count(const char* flag, int64_t got, int64_t least) {
  if (got < least) throw InvalidInput("{} {}: expected a number of {} or more", flag, got, least);
}

TrainingShape read_shape(const TrainingRequest& options, const Model& model) {
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
          .lora = read_lora(options, model),
          .precision = read_precision(options).activations,
          .weights = read_precision(options).weights,
          .watch_numerics = options.watch_numerics};
}

Optimizer parse_optimizer(const std::string& name) {
  if (name == "adamw") return Optimizer::adamw;
  if (name == "adamw8bit") return Optimizer::adamw8bit;
  if (name == "sgd") return Optimizer::sgd;
  throw InvalidInput("--optimizer {}: unknown optimizer; expected adamw, adamw8bit or sgd", name);
}

UpdateSettings read_updates(const TrainingRequest& options) {
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
  updates.loss_scaled = read_precision(options).scales_loss;
  return updates;
}

LrSettings read_lr(const TrainingRequest& options) {
  expect_flag(options.lr >= 0 && std::isfinite(options.lr), "--lr", options.lr, "0 or more");
  expect_count("--warmup-steps", options.warmup_steps, 0);
  expect_count("--steps", options.steps, 0);
  if (options.steps > kMostSteps) throw InvalidInput("--steps {}: expected at most {}", options.steps, kMostSteps);
  return {parse_lr_schedule(options.lr_schedule), options.lr, options.warmup_steps, options.steps};
}

}  // namespace

TrainingSettings read_training_settings(const TrainingRequest& options, const Model& model) {
  return {read_shape(options, model), read_updates(options), read_lr(options), read_precision(options)};
}

FittedTraining fit_training(const TrainingRequest& options, const Model& model, const Budget& budget,
                            int64_t tokenizer_bytes) {
  TrainingPricing pricing(options, model, tokenizer_bytes);
  PassTrace trace = trace_passes(options.trace);
  const Tuned tuned = tune(ranges_of(pricing.levers()), pricing, budget.bytes);
  if (!tuned.way) {
    refuse(pricing.fit(tuned.leanest, budget, trace),
           what_would_fit(options, model, tokenizer_bytes, tuned.leanest, budget));
  }
  FittedTraining job = pricing.fit(*tuned.way, budget, trace);
  check_disk_limit(options, job.plan);
  job.techniques = pricing.explain(*tuned.way);
  trace.optional = pricing.optional_passes();
  finish_trace(trace, options.trace);
  job.choice += describe_compression(job.graphs);
  return job;
}

}  // namespace headroom
