#include "headroom/api/job_settings.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/base/threads.h"

namespace headroom {
namespace {

void expect_count(const char* flag, int64_t got, int64_t least) {
  if (got < least) throw InvalidInput("{} {}: expected a number of {} or more", flag, got, least);
}

}  // namespace

TraceSettings trace_settings(const RunOptions& options) {
  return {options.dump_passes, options.disable_passes, options.verbose};
}

GenerationSettings generation_settings(const GenerateOptions& options) {
  expect_count("--prefill-chunk", options.prefill_chunk.value_or(1), 1);
  expect_count("--top-k", options.top_k, 0);
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    throw InvalidInput("--temperature {}: expected 0 (greedy) or more", options.temperature);
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw InvalidInput("--top-p {}: expected more than 0 and at most 1", options.top_p);
  }
  GenerationSettings settings;
  settings.cache_dtype = parse_dtype(options.kv_cache_dtype, "--kv-cache-dtype");
  if (settings.cache_dtype != DType::f32 && settings.cache_dtype != DType::bf16 && settings.cache_dtype != DType::f16) {
    throw InvalidInput("--kv-cache-dtype {}: expected f32, bf16 or f16", options.kv_cache_dtype);
  }
  settings.most_new_tokens = options.max_new_tokens.value_or(default_new_tokens(options.chat));
  expect_count("--max-new-tokens", settings.most_new_tokens, 0);
  expect_count("--context", options.context, 0);
  settings.model = options.model;
  settings.adapter = options.adapter;
  settings.chats = options.chat;
  settings.context = options.context;
  settings.prefill_chunk = options.prefill_chunk;
  settings.sampler = {options.temperature, options.top_k, options.top_p, options.seed};
  settings.stop = options.stop;
  settings.logprobs = options.logprobs;
  settings.on_text = options.on_text;
  settings.threads = threads_to_use(options.threads);
  settings.quiet = options.quiet;
  settings.trace = trace_settings(options);
  return settings;
}

TrainingRequest training_request(const TrainOptions& options) {
  return {.model = options.model,
          .data = options.data,
          .tokens = options.tokens,
          .eval_data = options.eval_data,
          .isolate_documents = options.isolate_documents,
          .output = options.output,
          .steps = options.steps,
          .batch_size = options.batch_size,
          .seq_len = options.seq_len,
          .grad_accum = options.grad_accum,
          .optimizer = options.optimizer,
          .lr = options.lr,
          .lr_schedule = options.lr_schedule,
          .warmup_steps = options.warmup_steps,
          .weight_decay = options.weight_decay,
          .beta1 = options.beta1,
          .beta2 = options.beta2,
          .eps = options.eps,
          .grad_clip = options.grad_clip,
          .seed = options.seed,
          .save_every = options.save_every,
          .keep_checkpoints = options.keep_checkpoints,
          .eval_every = options.eval_every,
          .shard_size = options.shard_size,
          .watch_numerics = options.watch_numerics,
          .checkpointing = options.checkpointing,
          .offload = options.offload,
          .disk = options.disk,
          .disk_limit = options.disk_limit,
          .clip_mode = options.clip_mode,
          .data_shards = options.data_shards,
          .precision = options.precision,
          .master_weights = options.master_weights,
          .loss_scale = options.loss_scale,
          .loss_scale_hysteresis = options.loss_scale_hysteresis,
          .compress_activations = options.compress_activations,
          .lora_rank = options.lora_rank,
          .lora_alpha = options.lora_alpha,
          .lora_dropout = options.lora_dropout,
          .lora_targets = options.lora_targets,
          .base_bits = options.base_bits,
          .adapter = options.adapter,
          .threads = threads_to_use(options.threads),
          .profiles = !options.profile.empty(),
          .quiet = options.quiet,
          .trace = trace_settings(options)};
}

}  // namespace headroom
