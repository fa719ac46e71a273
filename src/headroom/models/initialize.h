// Random weights for a new model, written as a stream by several threads, so that a model of any size takes a few MiB
// of memory and the time that the disk takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Makes the values of a workspace that would be read from files of `source` what they are in a new model or adapter
// (Binding::initial), in the dtype that they have there. The bits do not depend on the number of threads. Takes
// kFillBytes a thread for what is not f32.
inline constexpr int64_t kFillBytes = 128 * 1024;
void initialize_values(const Workspace& workspace, Source source, uint64_t seed, Threads& threads);

// The same for the weights that files of the model `other` lack, in memory or on disk.
void fill_new_weights(const Model& other, const Workspace& workspace, uint64_t seed);

// Writes all parameters of `model` as `dtype` into `directory`, as WeightWriter does. The bytes do not depend on the
// number of threads. Throws MachineFailure when the disk has no room for them, and what `progress` throws; it is called
// on the caller's thread.
void write_initial_weights(const Model& model, const std::string& directory, DType dtype, uint64_t seed,
                           int64_t shard_bytes,
                           const std::function<void(int64_t done_bytes, int64_t total_bytes)>& progress);

}  // namespace headroom
