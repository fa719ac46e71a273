// What a training run is asked for, as the options of it say (api/job_settings.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "headroom/comm/link_rate.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/techniques/training_settings.h"
#include "headroom/train/lr_schedule.h"

namespace headroom {

// When a checkpoint is written besides the one at the end: 0 for never.
struct SaveEvery {
  int64_t steps = 0;
  double seconds = 0;
  std::string text = "0";  // as it was asked for
};

struct TrainingRequest : TechniqueRequest {
  std::vector<std::string> data;
  std::string tokens;
  std::vector<std::string> eval_data;
  std::string labels;  // of a new classifier on top of the model
  bool isolate_documents = false;
  std::string output;
  int64_t batch_size = 0;
  int64_t seq_len = 0;
  LrSettings lr;            // steps: 0 for one pass over the data
  int64_t asked_steps = 0;  // as they were asked for, also when those of one pass are known
  UpdateSettings updates;   // but for what techniques read
  uint64_t seed = 0;
  SaveEvery save_every;
  int64_t keep_checkpoints = 0;
  int64_t eval_every = 0;
  int64_t shard_bytes = 0;  // at most, of a file of the trained model
  int threads = 1;
  std::optional<LinkRate> link;        // between the ranks of the job, where it was measured
  bool profiles = false;               // what each op takes
  bool ignore_unknown_fields = false;  // of the model's config: for runs that go on with this one
  bool quiet = false;
  TraceSettings trace;
};

}  // namespace headroom
