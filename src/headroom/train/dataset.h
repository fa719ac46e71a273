// The data of a training run: token files in the output directory, made from text or JSON, and the batches they give.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "headroom/comm/communicator.h"
#include "headroom/data/token_batches.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/tasks/task.h"
#include "headroom/train/checkpoint.h"
#include "headroom/train/training_request.h"

namespace headroom {

// Whether the run reads text, for which it needs the tokenizer.
bool reads_text(const TrainingRequest& request);

// Whether the data may hold examples, as what the files begin with says.
bool reads_examples(const TrainingRequest& request);

// Whether the run takes the model's tokenizer: to read text, or to write it beside weights that were in a GGUF file.
bool uses_tokenizer(const TrainingRequest& request);

// Where request.tokens is given, its first step decides request.batch_size and request.seq_len. Throws InvalidInput for
// a file of another form.
void take_shape_of_tokens(TrainingRequest& request);

class Dataset {
 public:
  // Makes (or finds again) DIR/train.tokens and DIR/eval.tokens under request.output, with a progress line.
  // `micro_rows`: rows of an evaluation step. Throws as Task::encode and TokenBatches do, and Interrupted. Of several
  // ranks (or null) rank 0 makes them and all read them; all throw what it throws.
  Dataset(const TrainingRequest& request, const Model& model, int64_t micro_rows, const InterruptGuard& interrupt,
          Communicator* ranks = nullptr);

  const TokenBatches& train() const { return *train_; }
  const TokenBatches* evaluation() const { return evaluation_ ? &*evaluation_ : nullptr; }
  // What became of the documents to train on.
  const TokenFileInfo& train_info() const { return train_file_->info(); }

  // Fingerprints of what the numbers depend on.
  RunSettings fingerprints() const;

 private:
  std::unique_ptr<TokenFile> train_file_;
  std::unique_ptr<TokenFile> evaluation_file_;
  std::optional<TokenBatches> train_;
  std::optional<TokenBatches> evaluation_;
};

}  // namespace headroom
