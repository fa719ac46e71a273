// What a training run is asked for, as the options of it say (api/training_request.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/passes/pass_dump.h"

namespace headroom {

struct TrainingRequest {
  std::string model;  // directory or file
  std::vector<std::string> data;
  std::string tokens;
  std::vector<std::string> eval_data;
  bool isolate_documents = false;
  std::string output;
  int64_t steps = 0;
  int64_t batch_size = 0;
  int64_t seq_len = 0;
  int64_t grad_accum = 0;
  std::string optimizer;
  double lr = 0;
  std::string lr_schedule;
  int64_t warmup_steps = 0;
  double weight_decay = 0;
  double beta1 = 0;
  double beta2 = 0;
  double eps = 0;
  double grad_clip = 0;
  uint64_t seed = 0;
  int64_t save_every = 0;
  int64_t keep_checkpoints = 0;
  int64_t eval_every = 0;
  std::string shard_size;
  bool watch_numerics = false;
  std::string checkpointing = "auto";
  std::string offload;
  std::string disk;
  std::string disk_limit;
  std::string clip_mode;
  int64_t data_shards = 1;
  std::string precision = "f32";
  std::string master_weights;
  std::string loss_scale;
  int64_t loss_scale_hysteresis = 1;
  std::string compress_activations = "none";
  int64_t lora_rank = 0;
  double lora_alpha = 0;
  double lora_dropout = 0;
  std::string lora_targets;
  std::string base_bits;
  std::string adapter;
  int threads = 1;
  bool profiles = false;  // what each op takes
  bool quiet = false;
  TraceSettings trace;
};

}  // namespace headroom
