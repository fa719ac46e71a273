// Random weights for a new model, written as a stream by several threads, so that a model of any size takes a few MiB
// of memory and the time that the disk takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "headroom/models/model.h"

namespace headroom {

// Element i of parameter number p is a function of (seed, p, i) and of nothing else: about normal (the sum of eight
// uniform 16-bit numbers, Irwin and Hall 1927; within 4.9 deviations), mean 0.
void fill_random(std::span<float> out, uint64_t seed, uint64_t parameter, int64_t first_element, double deviation);

// Writes all parameters of `model` as `dtype` into `directory`, as WeightWriter does. The bytes do not depend on the
// number of threads. Throws MachineFailure when the disk has no room for them, and what `progress` throws; it is called
// on the caller's thread.
void write_initial_weights(const Model& model, const std::string& directory, DType dtype, uint64_t seed,
                           int64_t shard_bytes,
                           const std::function<void(int64_t done_bytes, int64_t total_bytes)>& progress);

}  // namespace headroom
