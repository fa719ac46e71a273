#include "headroom/train/training_job.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/threads.h"
#include "headroom/bench/profile.h"
#include "headroom/formats/gguf_file.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/train/clip_mode.h"
#include "headroom/train/data_shards.h"
#include "headroom/train/dataset.h"
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
  expect_count("--grad-accum", options.grad_accum, 1);
  expect_count("--seq-len", options.seq_len, 2);
  if (options.batch_size % options.grad_accum != 0) {
    throw InvalidInput("--grad-accum {}: expected a divisor of --batch-size {}", options.grad_accum,
                       options.batch_size);
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
          .data_shards = options.data_shards};
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
  if (options.optimizer != "adamw" && options.optimizer != "sgd") {
    throw InvalidInput("--optimizer {}: unknown optimizer; expected adamw or sgd", options.optimizer);
  }
  updates.optimizer = options.optimizer == "sgd" ? Optimizer::sgd : Optimizer::adamw;
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

// From fastest to leanest.
std::vector<TrainingTechniques> techniques_to_try(const TrainOptions& options, const TrainingShape& shape) {
  const std::string& checkpointing = options.checkpointing;
  if (checkpointing != "none" && checkpointing != "full" && checkpointing != "auto") {
    throw InvalidInput("--checkpointing {}: expected none, full or auto", checkpointing);
  }
  std::vector<TrainingTechniques> all;
  for (const bool two_pass : two_pass_choices(options, shape)) {
    for (const bool checkpoint_layers : {false, true}) {
      if (checkpointing == (checkpoint_layers ? "none" : "full")) continue;
      for (const bool fuse : {true, false}) {
        all.push_back({checkpoint_layers, fuse, two_pass});
      }
    }
  }
  return all;
}

std::string name_of(const TrainingTechniques& techniques) {
  return fmt::format("checkpointing {}{}{}", techniques.checkpoint_layers ? "full" : "none",
                     techniques.fuse_loss_gradients ? ", logits made once" : "",
                     techniques.two_pass_clipping ? ", two-pass clipping" : "");
}

}  // namespace

TrainingSettings read_training_settings(const TrainOptions& options, const Model& model) {
  return {read_shape(options, model), read_updates(options), read_lr(options)};
}

FittedJob fit_training(const TrainOptions& options, const Model& model, int64_t tokenizer_bytes) {
  const TrainingSettings settings = read_training_settings(options, model);
  const bool evaluates = !options.eval_data.empty();
  PassTrace trace = trace_passes(options);
  std::vector<Candidate> candidates;
  for (const TrainingTechniques& techniques : techniques_to_try(options, settings.shape)) {
    candidates.push_back(
        {name_of(techniques), [&, techniques] {
           return build_training_graphs(model, settings.shape, settings.updates, techniques, evaluates, &trace).graphs;
         }});
  }
  ReserveInputs reserve;
  reserve.threads = threads_to_use(options.threads);
  reserve.buffer_bytes = kBufferBytes;
  if (tokenizer_bytes > 0) {
    reserve.released_bytes = tokenizer_bytes + kEncodingBytes +
                             std::max(example_bound_bytes(options.model, options.data, settings.shape.seq_len),
                                      example_bound_bytes(options.model, options.eval_data, settings.shape.seq_len));
  }
  if (!options.profile.empty()) {
    reserve.profile_node_bytes = Profile::kNodeBytes;
    reserve.buffer_bytes += Profile::kFixedBytes;
  }
  // Written anew at the end, while the arena is there.
  if (GgufFile::is_gguf(options.model)) reserve.tokenizer_bytes = tokenizer_bytes;
  FittedJob job = fit_job(candidates, resolve_budget(options.memory), reserve);
  finish_trace(trace, options);
  return job;
}

}  // namespace headroom
