// Training states on disk: DIR/checkpoint-STEP/ with
//   model.safetensors      the weights by parameter name
//   optimizer.safetensors  the optimizer's state by parameter name
//   state.json             the step (which is also the position in the data), every setting that changes the numbers,
//   and what else the steps to come depend on
// Whole tensors only, nothing of the arena's layout. A checkpoint is written under a temporary name, synced and
// renamed, so that what is found under its name is complete, whenever the process or the machine stopped.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "headroom/runtime/stored_value.h"
#include "headroom/techniques/training_settings.h"

namespace headroom {

// Values of the training state, stored in their own dtypes, bit for bit.
struct StateTensors {
  std::span<const StoredValue> weights;
  std::span<const StoredValue> optimizer;
};

struct CheckpointState {
  int64_t step = 0;  // updates done
  RunSettings settings;
  RunSettings carried = {};  // what else decides the steps to come, by name: the loss scale
  RunSettings course = {};   // flags that may change on the way and otherwise go on: --steps
};

// Throws InvalidInput naming the first setting that differs, what the checkpoint `path` has and what was asked for.
void check_settings(const std::string& path, const RunSettings& saved, const RunSettings& wanted);
// The same for the settings of `wanted` alone.
void check_those_settings(const std::string& path, const RunSettings& saved, const RunSettings& wanted);

class Checkpoints {
 public:
  // In `directory`, which must exist and whose DirectoryLock the caller holds.
  explicit Checkpoints(std::string directory) : directory_(std::move(directory)) {}

  std::string path_of(int64_t step) const;
  // Steps of the complete checkpoints, ascending: all three files there, their sizes as their headers say.
  std::vector<int64_t> list() const;
  std::optional<int64_t> newest() const;

  // Bytes on disk of one checkpoint of these tensors, at most.
  static int64_t bytes_of(const StateTensors& tensors);
  // Throws MachineFailure unless `keep` checkpoints and the one being written fit beside what is there already, with
  // `other_bytes` for further outputs.
  void require_space(const StateTensors& tensors, int64_t keep, int64_t other_bytes) const;

  // Durable when it returns; then all but the newest `keep` (at least 1) are dropped. A complete checkpoint of that
  // step is left as it is. Throws MachineFailure for a full disk, with nothing left of the attempt and older ones
  // untouched.
  void save(const CheckpointState& state, const StateTensors& tensors, int64_t keep) const;
  // Of the other ranks, while rank 0 saves: sends their parts of the tensors.
  static void send_parts(const StateTensors& tensors);

  CheckpointState read_state(int64_t step) const;
  // Fills the tensors. Throws InvalidInput for one that is missing, left over, or of another type.
  LoadStatistics load(int64_t step, const StateTensors& tensors, const LoadProgress& progress = nullptr) const;

 private:
  bool is_complete(int64_t step) const;
  void drop(int64_t step) const;

  std::string directory_;
};

}  // namespace headroom
