#include "headroom/train/dataset.h"

#include "headroom/base/errors.h"
#include "headroom/formats/json_reader.h"
#include "headroom/runtime/progress.h"
#include "headroom/train/token_json.h"
#include "headroom/train/tokenize_files.h"
#include "headroom/train/tokenizer_encoder.h"

namespace headroom {
namespace {

constexpr int64_t kLargestId = INT32_MAX;

std::unique_ptr<TokenFile> encode_files(const std::vector<std::string>& files, TextEncoder& encoder,
                                        const std::string& output, bool quiet) {
  Progress progress("encoding text", quiet);
  tokenize_files(files, encoder, output, [&](int64_t done, int64_t total) { progress.show(done, total); });
  return std::make_unique<TokenFile>(output);
}

// The rows a step and the row length of a --tokens file, from its first step.
struct BatchShape {
  int64_t rows = 0;
  int64_t row_length = 0;
};

BatchShape first_batch_shape(const std::string& json_path) {
  const File file = File::open(json_path);
  JsonReader reader(file, 0, file.size_bytes(), json_path);
  BatchShape shape;
  std::string key;
  for (reader.begin_object(); reader.next_key(key);) {
    if (key != "batches") {
      reader.skip();
      continue;
    }
    reader.begin_array();
    if (!reader.next_element()) break;
    for (reader.begin_array(); reader.next_element(); ++shape.rows) {
      int64_t length = 0;
      for (reader.begin_array(); reader.next_element(); ++length) reader.integer(0, kLargestId);
      shape.row_length = std::max(shape.row_length, length);
    }
    break;
  }
  if (shape.rows == 0 || shape.row_length < 2) {
    throw InvalidInput(
        "{}: no batches in it; expected {{\"batches\": [[[id, id, ...], ...], ...]}} with rows of two ids or more",
        json_path);
  }
  return shape;
}

}  // namespace

bool reads_text(const TrainOptions& options) { return options.tokens.empty() || !options.eval_data.empty(); }

void take_shape_of_tokens(TrainOptions& options) {
  if (options.tokens.empty()) return;
  const BatchShape shape = first_batch_shape(options.tokens);
  options.batch_size = shape.rows;
  options.seq_len = shape.row_length;
}

Dataset::Dataset(const TrainOptions& options, int64_t vocabulary, int64_t micro_rows) {
  const std::string train_path = options.output + "/train.tokens";
  const bool needs_tokenizer = options.tokens.empty() || !options.eval_data.empty();
  std::unique_ptr<TokenizerEncoder> encoder;
  if (needs_tokenizer) encoder = std::make_unique<TokenizerEncoder>(options.model, vocabulary);
  if (options.tokens.empty()) {
    train_file_ = encode_files(options.data, *encoder, train_path, options.quiet);
    train_ = TokenBatches::shuffled(*train_file_, options.batch_size, options.seq_len, options.seed);
  } else {
    tokens_from_batches(options.tokens, vocabulary, train_path);
    train_file_ = std::make_unique<TokenFile>(train_path);
    train_ = TokenBatches::as_given(*train_file_);
  }
  if (!options.eval_data.empty()) {
    evaluation_file_ = encode_files(options.eval_data, *encoder, options.output + "/eval.tokens", options.quiet);
    evaluation_ = TokenBatches::in_order(*evaluation_file_, micro_rows, options.seq_len);
  }
}

RunSettings Dataset::fingerprints() const {
  return {{"the data (--data, --tokens)", fmt::format("{:016x}", train_file_->info().source_fingerprint)},
          {"the tokenizer", fmt::format("{:016x}", train_file_->info().encoder_fingerprint)}};
}

}  // namespace headroom
