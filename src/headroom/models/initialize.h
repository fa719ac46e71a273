// Random weights for a new model, written as a stream, so that a model of any size takes a few MiB of memory.
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

// Writes all parameters of `model` as `dtype` to the safetensors file `path`, atomically. Throws MachineFailure when
// the disk has no room for them.
void write_initial_weights(const Model& model, const std::string& path, DType dtype, uint64_t seed,
                           const std::function<void(int64_t done_bytes, int64_t total_bytes)>& progress);

}  // namespace headroom
