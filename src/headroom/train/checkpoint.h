// Training states on disk: DIR/checkpoint-STEP/ with
//   model.safetensors      the weights by parameter name
//   optimizer.safetensors  the optimizer's state by parameter name
//   state.json             the step (which is also the position in the data), every setting that changes the numbers,
//   and what else the steps to come depend on
// Whole tensors only, nothing of the arena's layout. A checkpoint is written under a temporary name, synced and
// renamed, so that what is found under its name is complete, whenever the process or the machine stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "headroom/backend/offload_file.h"
#include "headroom/base/shape.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/techniques/training_settings.h"

namespace headroom {

// A tensor of the training state, dense and row-major, in the caller's memory or in an offload file; stored in its own
// dtype, bit for bit.
struct StateTensor {
  std::string name;
  Type type;
  std::byte* data = nullptr;  // null: on disk
  OffloadFile* file = nullptr;
  int64_t offset_bytes = 0;  // in that file

  // Calls piece(first element, memory, elements) for all of it, by way of `staging` where it is on disk.
  using Piece = std::function<void(int64_t first, const std::byte* data, int64_t elements)>;
  void for_each_piece(std::span<std::byte> staging, const Piece& piece) const;
};

struct StateTensors {
  std::span<const StateTensor> weights;
  std::span<const StateTensor> optimizer;
};

struct CheckpointState {
  int64_t step = 0;  // updates done
  RunSettings settings;
  RunSettings carried = {};  // what else decides the steps to come, by name: the loss scale
};

// Throws InvalidInput naming the first setting that differs, what the checkpoint `path` has and what was asked for.
void check_settings(const std::string& path, const RunSettings& saved, const RunSettings& wanted);

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
  // What is on disk comes by way of `staging`, which nobody else uses meanwhile.
  void save(const CheckpointState& state, const StateTensors& tensors, int64_t keep,
            std::span<std::byte> staging = {}) const;

  CheckpointState read_state(int64_t step) const;
  // Fills the tensors by way of `staging` (base/block_reader.h). Throws InvalidInput for a tensor that is
  // missing, left over, or of another type.
  LoadStatistics load(int64_t step, const StateTensors& tensors, std::span<std::byte> staging,
                      const LoadProgress& progress = nullptr) const;

 private:
  bool is_complete(int64_t step) const;
  void drop(int64_t step) const;

  std::string directory_;
};

}  // namespace headroom
