// The data of a training run: token files in the output directory, made from text or JSON, and the batches they give.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "headroom/headroom.h"
#include "headroom/train/checkpoint.h"
#include "headroom/train/token_batches.h"

namespace headroom {

// The rows a step and the row length of a --tokens file, from its first step. Throws InvalidInput for another shape.
struct BatchShape {
  int64_t rows = 0;
  int64_t row_length = 0;
};
BatchShape first_batch_shape(const std::string& json_path);

class Dataset {
 public:
  // Makes (or finds again) DIR/train.tokens and DIR/eval.tokens under options.output, with a progress line.
  // `batch_size` and `micro_rows`: rows of an update and of an evaluation step. Throws as tokenize_files and
  // TokenBatches do.
  Dataset(const TrainOptions& options, int64_t vocabulary, int64_t micro_rows);

  const TokenBatches& train() const { return *train_; }
  const TokenBatches* evaluation() const { return evaluation_ ? &*evaluation_ : nullptr; }

  // Fingerprints of what the numbers depend on.
  RunSettings fingerprints() const;

 private:
  std::unique_ptr<TokenFile> train_file_;
  std::unique_ptr<TokenFile> evaluation_file_;
  std::optional<TokenBatches> train_;
  std::optional<TokenBatches> evaluation_;
};

}  // namespace headroom
