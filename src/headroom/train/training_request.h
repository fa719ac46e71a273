// What a training run is asked for, as the options of it say (api/job_settings.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/passes/pass_dump.h"
#include "headroom/techniques/training_settings.h"
#include "headroom/train/lr_schedule.h"

namespace headroom {

struct TrainingRequest : TechniqueRequest {
  std::vector<std::string> data;
  std::string tokens;
  std::vector<std::string> eval_data;
  std::string labels;  // of a new classifier on top of the model
  bool isolate_documents = false;
  std::string output;
  int64_t batch_size = 0;
  int64_t seq_len = 0;
  LrSettings lr;           // steps: 0 for one pass over the data
  UpdateSettings updates;  // but for what techniques read
  uint64_t seed = 0;
  int64_t save_every = 0;
  int64_t keep_checkpoints = 0;
  int64_t eval_every = 0;
  int64_t shard_bytes = 0;  // at most, of a file of the trained model
  int threads = 1;
  bool profiles = false;  // what each op takes
  bool quiet = false;
  TraceSettings trace;
};

}  // namespace headroom
