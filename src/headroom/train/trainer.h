// The training loop over a workspace: steps, evaluation, metrics, checkpoints, interruption. Of several ranks all walk
// it together; rank 0 writes what there is to write.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "headroom/comm/stop_vote.h"
#include "headroom/formats/weights/weight_writer.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/batch_inputs.h"
#include "headroom/train/checkpoint.h"
#include "headroom/train/dataset.h"
#include "headroom/train/loss_scaler.h"
#include "headroom/train/metrics_log.h"
#include "headroom/train/saved_tensors.h"
#include "headroom/train/training_job.h"
#include "headroom/train/training_request.h"

namespace headroom {

// The settings of a run that change its numbers, but for its data.
RunSettings numbers_of(const TrainingRequest& request, const TrainingSettings& settings, const Model& model);

class Trainer {
 public:
  // All borrowed. `files`: the model whose weights lie at request.model, which is `model`, or what it is made of.
  // `request.output` exists and is locked by the caller; `request.lr.steps` is known.
  Trainer(const TrainingRequest& request, const Model& model, const Model& files, const TrainingSettings& settings,
          const Dataset& data, Workspace& workspace);

  // Takes the state of the newest checkpoint, or where there is none and it is a new run, of the model.
  // Throws Interrupted when a signal comes before it is done.
  LoadStatistics load(const InterruptGuard& interrupt);

  // Throws MachineFailure unless checkpoints and the model will fit on the disk, with steps of `step_seconds` (0:
  // nobody knows).
  void require_disk_space(double step_seconds) const;

  struct Outcome {
    int64_t step = 0;
    double loss = 0;
    double eval_loss = 0;  // NaN without evaluation
    double seconds = 0;
    double tokens_per_second = 0;
    int stopped_by_signal = 0;  // 0: ran to the end
    Traffic step_traffic = {};  // of the last step, with other ranks
  };
  // Runs to the last step, or to a signal (of any rank): finishes the step and saves. Throws InvalidInput when the loss
  // is no number any more; the checkpoints stay.
  Outcome run(const InterruptGuard& interrupt, int64_t budget_bytes);

  // The weights in DIR, f32, in files of request.shard_bytes; with LoRA the adapter alone, as PEFT's files.
  void save_weights() const;

 private:
  struct StepLoss {
    double mean = 0;  // over the predictions that count
    int64_t predictions = 0;
    float gradient_norm = 0;  // before clipping
  };
  // What all ranks go on with between two steps: the signal that one of them has got, or kSaves where rank 0 `wants` a
  // checkpoint, which comes first; else 0.
  static constexpr int kSaves = 128;
  int agree(int signal, bool wants_to_save);

  // Both call on_graph() whenever a graph has run.
  StepLoss step(int64_t step, const std::function<void()>& on_graph);
  // Saves there again and throws MachineFailure, where the output has been deleted or moved since it began.
  void require_output(MetricsLog& metrics);
  double evaluate(const std::function<void()>& on_graph);
  void save(int64_t step);
  // With the metrics so far, which rank 0 has.
  void save_with(std::optional<MetricsLog>& metrics);
  StateTensors state() const { return {weights_, optimizer_}; }
  bool scales_loss() const { return settings_.loss_scale.has_value(); }
  RunSettings run_settings() const;
  // Whether --save-every asks for a checkpoint after that step, so long after the last.
  bool is_due(int64_t step, double seconds) const;
  WeightWriter final_weights() const;
  std::vector<size_t> all_saved() const;

  void send_weights() const;
  void save_adapter() const;
  int64_t final_bytes() const;

  const TrainingRequest& request_;
  const Model& model_;
  const Model& files_;
  const TrainingSettings& settings_;
  const Dataset& data_;
  Workspace& workspace_;
  Communicator* const ranks_;     // or null
  std::optional<StopVote> vote_;  // of several ranks
  const bool is_first_;           // of them, or alone
  const Schedule& update_;
  BatchInputs inputs_;
  Checkpoints checkpoints_;
  std::vector<StoredValue> weights_;
  std::vector<SavedTensor> saved_;  // of the weights
  std::vector<StoredValue> optimizer_;
  LossScaler loss_scaler_;
  int64_t done_steps_ = 0;
};

}  // namespace headroom
