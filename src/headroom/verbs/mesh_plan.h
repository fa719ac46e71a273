// `plan` for a mesh of machines that no run uses: what each rank of it would hold and send. The model states are
// divided by the formulas of plan/mesh.h; what a rank works in comes from the planner itself, run on the rank's part of
// the model. Ranks that train have the engine's own plan (verbs/rank_plan.h).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "headroom/headroom.h"
#include "headroom/plan/device.h"
#include "headroom/plan/mesh.h"

namespace headroom {

struct MeshJob {
  std::string model;                   // a directory, a config .json, a preset, or a number of parameters: "13B"
  bool ignore_unknown_fields = false;  // of the config
  bool trains = true;
  Mesh mesh;
  int zero = 0;
  std::string dtype;   // of the weights that text is generated with: f32, bf16, f16, q8_0, int8; empty: the config's
  std::string device;  // empty: none
  int64_t memory_bytes = 0;     // of a rank, the device's context included; 0: no limit
  int64_t context_bytes = 0;    // of that, what the planned part may not have
  int64_t tokenizer_bytes = 0;  // as fit_generation and fit_training take it
  TrainOptions train;           // of the whole mesh: batch_size counts the rows of all ranks
  GenerateOptions generate;
};

// What each rank of one pipeline stage takes.
struct StagePlan {
  int64_t layers = 0;      // 0: the model is only a number of parameters
  int64_t parameters = 0;  // of a tensor rank
  ModelStates states;
  int64_t gathered_bytes = 0;  // stages 2 and 3 of ZeRO: gradients or weights of two blocks, whole in use
  int64_t cache_bytes = 0;     // keys and values
  int64_t working_bytes = 0;   // activations, workspace, inputs, of all micro-batches in flight
  int64_t in_flight = 1;       // micro-batches
  int64_t process_bytes = 0;   // beside the arena; on a device the context stands for it
  std::string choice;          // what the planner took for the working memory

  int64_t planned_bytes() const { return states.all() + gathered_bytes + cache_bytes + working_bytes + process_bytes; }
};

// What a rank sends in a step; generating text, for a token.
struct SentBytes {
  int64_t states = 0;  // weights and gradients, between data ranks
  int64_t tensor = 0;  // activations, between tensor ranks
  int64_t pipe = 0;    // activations, to the neighbouring stages
};

struct MeshPlan {
  int64_t parameters = 0;  // of the model
  BytesPerParameter bytes;
  std::vector<StagePlan> stages;
  size_t fullest = 0;
  SentBytes sent;  // by a rank of the fullest stage

  const StagePlan& fullest_stage() const { return stages[fullest]; }
};

// Throws InvalidInput naming the flag that is out of range or does not divide. With `must_fit` it throws BudgetExceeded
// where states alone take more than job.memory_bytes, before anything is planned that takes time.
MeshPlan plan_mesh(const MeshJob& job, bool must_fit = false);

// Whether `model` is a number of parameters and not a model.
bool is_parameter_count(const std::string& model);

// The table for people; ends with a newline.
std::string describe(const MeshPlan& plan, const MeshJob& job);
nlohmann::ordered_json json_of(const MeshPlan& plan, const MeshJob& job);

// Throws BudgetExceeded where the fullest rank needs more than it has, naming a mesh that would fit, if there is one.
void require_fit(const MeshPlan& plan, const MeshJob& job);

}  // namespace headroom
