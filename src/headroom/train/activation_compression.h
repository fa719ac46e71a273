// What --compress-activations asks for, and what it means for the other flags of a run.
#pragma once

#include <string>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/train/training_request.h"

namespace headroom {

// Bits that kept activations are stored in: 4, 8 or 16; 0 for none. Throws InvalidInput for what is unknown or cannot
// be combined.
int64_t compression_bits(const TrainingRequest& options);

// --checkpointing, where `auto` is `none` under compression: which activations are kept decides which are rounded, so
// the budget, which may not change numbers, must not choose it.
std::string checkpointing_of(const TrainingRequest& options);

// For the choice of a plan: ", activations kept in 15.8 MiB instead of 122.4 MiB (7.75 times less)"; nothing where the
// step keeps none compressed.
std::string describe_compression(const std::vector<Graph>& graphs);

}  // namespace headroom
