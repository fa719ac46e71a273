// Several sequences side by side, each with its own part of the KV cache: what `bench` measures of a model.
//   B sequences, C rows of the cache for each, T rows of a step.
#pragma once

#include <vector>

#include "headroom/generate/compute.h"
#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

struct BatchedShape {
  int64_t sequences = 1;
  int64_t context = 0;       // C
  int64_t prefill_rows = 0;  // T of the prefill, of one sequence at a time; 0: no such graph
  bool decodes = false;      // whether there is a decode step, one row for each sequence
  Compute compute = Compute::f32;
};

// The graphs "prefill" and "decode", where the shape asks for them: forward, logits of the last row of each sequence
// that is in the step, and their logsumexp, as build_generation_graphs. Weights have the dtype of the files.
std::vector<Graph> build_batched_graphs(const Model& model, const BatchedShape& shape);

class BatchedSteps {
 public:
  // `workspace` holds those graphs and is borrowed.
  BatchedSteps(Workspace& workspace, const Model& model, const BatchedShape& shape);

  // `tokens` tokens of every sequence from its beginning, prefill_rows at a time, one sequence after the other.
  void prefill(int64_t tokens);
  // One token of every sequence, at this position, by what the cache holds before it.
  void decode(int64_t position);

 private:
  Workspace& workspace_;
  BatchedShape shape_;
  int32_t token_;  // what is computed does not depend on which
};

}  // namespace headroom
