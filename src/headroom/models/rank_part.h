// What one rank of a tensor- and pipeline-parallel mesh holds of a model: a model of the same architecture with fewer
// heads, narrower MLPs and a shorter vocabulary, and fewer layers. So parameters, graphs and plans of a rank are those
// of an ordinary model, and nothing else has to know of ranks.
//
// Tensor ranks split as in Shoeybi et al. 2019 (Megatron-LM): query, key, value, gate and up projections by outputs
// (and their biases), output and down projections by inputs, embedding and head by rows of the vocabulary; norms are on
// every rank. Heads of keys and values that are fewer than the ranks are held by several ranks each.
#pragma once

#include <cstdint>

#include "headroom/formats/json/json_object.h"

namespace headroom {

// The config of one of `tensor_ranks`, with `layers` layers. Throws InvalidInput naming the field of the config that
// the ranks do not divide.
JsonObject config_of_rank(const JsonObject& config, int64_t tensor_ranks, int64_t layers);

// Parameters by what a pipeline stage is made of.
struct ParameterCounts {
  int64_t embedding = 0;
  int64_t layer = 0;  // of one; all are of a size
  int64_t head = 0;   // the last norm and the output layer, which is not here where it is the embedding
  bool tied = false;  // it is, and a last stage that is not the first one too has a copy of it
};
ParameterCounts count_parameters(const JsonObject& config);

// Of the stage with so many layers.
int64_t parameters_of_stage(const ParameterCounts& counts, int64_t layers, bool is_first, bool is_last);

}  // namespace headroom
