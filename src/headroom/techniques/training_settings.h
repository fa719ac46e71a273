// The numbers of a training run, and one way to run its steps. Techniques read the first from flags and make the second
// (techniques/technique.h).
//   B rows of a micro-batch, S marked tokens a row (S - 1 predictions; R = S - 1 places, or one more, below), T = B *
//   R, N predictions of an update, D documents of a row that attention keeps apart.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "headroom/base/dtype.h"
#include "headroom/base/rank_parts.h"
#include "headroom/models/adapter.h"
#include "headroom/passes/append_updates.h"
#include "headroom/passes/pass.h"
#include "headroom/plan/job.h"
#include "headroom/techniques/flag.h"

namespace headroom {

// What is trained in place of the model's weights (docs/techniques/lora.md).
struct LoraTraining {
  AdapterConfig config;
  std::vector<LoraLayer> layers;         // none: all weights are trained
  std::optional<DType> base_format;      // of the base's linear layers, adapters or not; none: as stored
  std::unordered_set<std::string> base;  // their weights, where there is one

  bool is_on() const { return !layers.empty(); }
  // Of the base's weights. Borrows both.
  WeightFormats formats(const Model& model) const;
};

struct TrainingShape {
  int64_t micro_rows = 0;         // rows of one micro-batch
  int64_t micro_batches = 1;      // of one update
  int64_t seq_len = 0;            // S (Task::row_tokens)
  int64_t documents_per_row = 1;  // D (Task::sequences_of_row)
  int64_t data_shards = 1;        // of a rank's rows; each is the same whole number of micro-batches
  RankPlace place = {};           // among ranks that have as many rows each, one after the other

  LoraTraining lora = {};   // what is trained, where it is not all weights
  double balance_loss = 0;  // how much of the losses is that of gates (passes/balance_experts.h); 0: nothing

  // Of activations, what is kept of them, and products: f32, bf16 or f16.
  DType precision = DType::f32;
  DType weights = DType::f32;  // or bf16

  // Products of bf16 take pairs of tokens. Rows have an even number of places then, a last one that predicts nothing,
  // so that no pair is cut wherever the batch is.
  int64_t row_places() const { return seq_len - 1 + (precision == DType::bf16 ? (seq_len - 1) % 2 : 0); }
  int64_t micro_tokens() const { return micro_rows * row_places(); }
  int64_t rows() const { return micro_rows * micro_batches; }  // of one rank
  int64_t batch_rows() const { return rows() * place.ranks; }  // of an update
  int64_t predictions() const { return micro_tokens() * micro_batches * place.ranks; }
  StepShape step() const {
    return {.tokens = micro_tokens(), .sequences = micro_rows * documents_per_row, .positions = seq_len - 1};
  }
};

// Where a pass stands among those of a graph; they run in this order.
enum class PassPhase : uint8_t {
  adapters,
  precision,
  differentiation,
  storage,  // of weights
  sums,     // of gradients
  loss,
  checkpointing,
  compression,
  watching
};

struct PhasedPass {
  PassPhase phase;
  Pass pass;
};

// Ordered by phase, those of one as they came.
std::vector<Pass> in_order(std::vector<PhasedPass> passes);

// Where a rewrite of a whole job stands among them; they run in this order.
enum class JobPhase : uint8_t {
  shards,  // of the batch: the last graph, the step, makes gradients and has no updates yet
  ranks,   // that divide the updates, which the step has now
  clipping,
  residence  // graphs and rows are final, evaluation included; only where values live is still open
};

// Of graphs, and of the rows that run them. The trace, if any, is to see its passes.
struct JobRewrite {
  JobPhase phase;
  std::function<void(Job&, PassTrace*)> rewrite;
};

// What techniques make of a run.
struct Rewrites {
  std::vector<PhasedPass> step = {};        // of a micro-batch with its backward
  std::vector<PhasedPass> evaluation = {};  // of the forward alone
  std::vector<JobRewrite> job = {};
};

struct TrainingWay {
  TrainingShape shape;
  Processor processor = {};  // that the graphs will run on: checkpointing and offload look at the scratch of kernels
  Rewrites rewrites = {};
};

// Of --loss-scale, with --precision f16.
struct LossScaleSettings {
  double fixed = 0;  // of a constant scale; 0: dynamic
  int64_t hysteresis = 1;
};

// What techniques are asked for, and may make use of.
struct TechniqueRequest {
  std::string model;  // directory or file
  FlagValues flags;
  std::string disk;        // directory for what leaves the memory; empty: nothing does
  std::string disk_limit;  // bytes that may be there; empty: what is free
  RankPlace place = {};    // among the ranks of the job
};

// Checked. The shape has as few micro-batches as the flags allow, until the job is fitted.
struct TrainingSettings : TechniqueRequest {
  TrainingShape shape;
  UpdateSettings updates;
  std::optional<LossScaleSettings> loss_scale;  // where the loss is scaled
};

// Settings that change the numbers, by the name the user knows ("--lr"), and fingerprints of data and tokenizer.
using RunSettings = std::vector<std::pair<std::string, std::string>>;

}  // namespace headroom
