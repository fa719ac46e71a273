// The graphs of a generation job: one a number of rows, all over the same weights and the same KV cache, of which each
// sequence that is written side by side has its own part.
//   T rows of a step, B sequences, C rows of the cache for each (the context), D head size, V vocabulary.
#pragma once

#include <string>
#include <vector>

#include "headroom/generate/compute.h"
#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/ops/lora.h"
#include "headroom/passes/pass.h"

namespace headroom {

struct GenerationShape {
  int64_t sequences = 1;                  // B
  int64_t context = 0;                    // C: tokens that the cache holds of each, prompt and new ones together
  int64_t prefill_chunk = 0;              // rows of the largest prefill step, of all sequences together
  CacheKind cache_kind = CacheKind::f32;  // what the KV cache is kept in
  Compute compute = Compute::f32;         // of products with quantised weights
  bool orders_vocabulary = false;         // the sampler needs room to order the vocabulary (top-k, top-p)
  std::vector<LoraLayer> adapter = {};    // beside the model's layers

  StepShape step(int64_t rows) const;
  // Rows of the cache from one sequence to the next.
  int64_t sequence_rows() const;
};

// Rows of each step, descending: from the prefill chunk by quarters, then from a row for each sequence by halves to 1.
// The small ones cost no arena and save short prompts, and the ends of long ones, the rows of a whole chunk.
std::vector<int64_t> step_rows(const GenerationShape& shape);

// "decode" for one row, else "decode_8" where each may be of another sequence, else "prefill_128".
std::string step_name(const GenerationShape& shape, int64_t rows);

// Graph inputs that the host fills, by name; those of one step begin with its name, and S is the smaller of T and B:
//   "STEP.tokens", "STEP.positions" i32[T], "STEP.last_row" i32[S]: the rows whose logits are wanted,
//   "STEP.sequences" i32[S, 4], "STEP.cache_range" i32[S, 2] (of one, i32[2]), "rotary_table" f32[C, D];
//   "vocabulary_order" i32[V], where the shape asks for it, which no node reads.
// Results of each: "STEP.logits" f32[S, V] and "STEP.lse" f32[S], their logsumexp. Weights have the dtype of the files;
// f32 caches give the numbers of the training forward.
std::vector<Graph> build_generation_graphs(const Model& model, const GenerationShape& shape,
                                           PassTrace* trace = nullptr);

}  // namespace headroom
