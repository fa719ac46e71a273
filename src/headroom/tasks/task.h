// A task: what a model is trained for and measured by. It declares what a step reads beside the model's own inputs,
// says what the loss is, makes rows of files of data, and fills a step with them.
#pragma once

#include <span>
#include <string>

#include "headroom/data/encode_files.h"
#include "headroom/models/model.h"
#include "headroom/tasks/step_filler.h"

namespace headroom {

struct TaskInputs {
  StepInputs step;
  ValueId targets = kNoValue;  // i32[T]; -1: the loss of this token is 0
};

class Task {
 public:
  virtual ~Task() = default;

  virtual TaskInputs declare(Builder& build, const Model& model, const StepShape& shape) const;
  // f32[T], of what Model::forward made of those inputs, and the weight of the output layer: the cross-entropy with
  // the targets, where the task says nothing else.
  virtual ValueId losses(Builder& build, ValueId hidden, ValueId head_weight, const TaskInputs& inputs) const;

  // Marked tokens (data/marked_token.h) that a row of data has for --seq-len, and the most sequences in it, where
  // `isolated` says whether documents keep apart.
  virtual int64_t row_tokens(int64_t seq_len) const = 0;
  virtual int64_t sequences_of_row(int64_t row_tokens, bool isolated) const = 0;
  // The token file of such rows, as tokenize_files makes it.
  virtual TokenFileInfo encode(std::span<const std::string> paths, TextEncoder& encoder, const Model& model,
                               const RowSettings& rows, const std::string& output,
                               const TokenizeProgress& progress) const = 0;
  // A row of n tokens into rows first_row.. of a step, of which `places` are the row's: n - 1, or more, which are left
  // out.
  virtual void fill_row(StepFiller& step, int64_t first_row, int64_t places, std::span<const int32_t> row) const = 0;
  // Row `number` of no data, which takes a step as much as any row may.
  virtual void sample_row(const Model& model, int64_t number, std::span<int32_t> row) const = 0;
};

// What `model` is trained for.
const Task& task_of(const Model& model);

// Throws InvalidInput for a --seq-len whose rows have more places than the model has positions.
void require_positions(const Task& task, int64_t seq_len, const Model& model);

// One id after another, of no text.
inline int32_t sample_id(const Model& model, int64_t number) {
  return static_cast<int32_t>(number * 7919 % model.vocabulary());
}

}  // namespace headroom
