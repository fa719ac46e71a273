// A model divided over ranks, as arithmetic: which bytes of the model states a rank holds and which it sends.
//
//   P parameters of a rank's part of the model, N ranks that hold the same part (data parallel)
//
// Stages of ZeRO (Rajbhandari et al. 2020, section 5): 0 holds everything, 1 a share of the optimizer's state, 2 of the
// gradients too, 3 of the weights too. Shares are of the flat sequence of all elements, so the largest has ceil(P / N).
// Tensor and pipeline ranks divide the model itself: models/rank_part.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

struct Mesh {
  int64_t data = 1;    // replicas of the model, each with rows of its own
  int64_t pipe = 1;    // parts of the chain of layers
  int64_t tensor = 1;  // parts of each matrix

  int64_t ranks() const { return data * pipe * tensor; }
};

// "data=8,pipe=2,tensor=4"; what is left out is 1. Throws InvalidInput naming --mesh.
Mesh parse_mesh(std::string_view text);

// "data=8,pipe=2,tensor=4".
std::string name_of(const Mesh& mesh);

// Bytes that one parameter takes in a state; a fraction where several parameters share some.
struct BytesPerParameter {
  double weights = 0;
  double gradients = 0;
  double optimizer = 0;  // with a master copy of the weight, where there is one

  double all() const { return weights + gradients + optimizer; }
};

// Of training: weights in 16 or 32 bits, AdamW in 32 or 8 bits, or SGD. In 16 bits the gradients are too, and a master
// copy of the weight in f32 is part of the optimizer's state, unless updates are rounded stochastically: 2 + 2 + 12
// bytes of mixed precision, 4 + 4 + 8 in f32.
struct TrainingFormat {
  bool half_weights = false;
  bool master_weights = true;  // with half_weights
  double optimizer_bytes = 8;  // m and v in f32; 8 bits with a scale for 256: 2.03; sgd: 0
};
BytesPerParameter bytes_per_parameter(const TrainingFormat& format);

// Bytes of the states that the fullest rank holds.
struct ModelStates {
  int64_t weights = 0;
  int64_t gradients = 0;
  int64_t optimizer = 0;

  int64_t all() const { return weights + gradients + optimizer; }
};
// Throws InvalidInput beyond 10^18 bytes.
ModelStates states_of(int64_t parameters, const BytesPerParameter& bytes, int stage, int64_t data_ranks);

// What the fullest rank sends in one step, in bytes, by ring collectives: of S bytes over n ranks an all-gather or a
// reduce-scatter sends S (n-1)/n, an all-reduce twice that.
int64_t sent_by_gather(int64_t bytes, int64_t ranks);

// For the weights and gradients of P parameters: an all-reduce of the gradients (stage 0); a reduce-scatter of them and
// an all-gather of the new weights (1, 2); a reduce-scatter and two all-gathers, for the forward and the backward (3).
// For a single micro-batch 2P, 2P, 2P and 3P elements, times (N-1)/N. Stage 2 reduces and stage 3 gathers and reduces
// for every micro-batch, because it keeps nothing whole.
int64_t sent_for_states(int64_t parameters, const BytesPerParameter& bytes, int stage, int64_t data_ranks,
                        int64_t micro_batches);

// Layers of each pipeline stage, so that the fullest stage holds as little as can be: the first stage has
// `embedding` parameters too, the last one `head`. Every stage gets at least one layer; throws InvalidInput where there
// are fewer layers than stages.
std::vector<int64_t> divide_layers(int64_t layers, int64_t stages, int64_t layer, int64_t embedding, int64_t head);

// Micro-batches whose activations a stage (from 0) keeps at once, of `stages`, under 1F1B (Narayanan et al. 2021).
inline int64_t micro_batches_in_flight(int64_t stage, int64_t stages, int64_t micro_batches) {
  return micro_batches < stages - stage ? micro_batches : stages - stage;
}

}  // namespace headroom
