#include "headroom/train/dataset.h"

#include <algorithm>
#include <cstdio>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/data/encode_files.h"
#include "headroom/data/import_ids.h"
#include "headroom/data/text_source.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

constexpr int64_t kLargestId = INT32_MAX;

// "12 documents, 3,456 tokens; ..."
std::string describe(const TokenFileInfo& info) {
  std::string text = fmt::format("{} documents, {} tokens", format_count(info.documents), format_count(info.tokens));
  if (info.padding > 0) text += fmt::format(" of which {} are padding", format_count(info.padding));
  if (info.truncated > 0) {
    text += fmt::format("; {} examples are longer than --seq-len and lost {} tokens", format_count(info.truncated),
                        format_count(info.truncated_tokens));
  }
  if (info.dropped > 0) {
    text += fmt::format("; {} examples were left out: no token of them that fits counts", format_count(info.dropped));
  }
  if (info.split_borders > 0) {
    text += fmt::format("; {} borders of what counts lie inside a token", format_count(info.split_borders));
  }
  return text;
}

std::unique_ptr<TokenFile> encode_files(const std::vector<std::string>& files, TextEncoder& encoder,
                                        const TrainingRequest& options, const std::string& name) {
  const std::string output = options.output + "/" + name;
  {
    Progress progress("encoding text", options.quiet);
    tokenize_files(files, encoder, {options.seq_len, options.isolate_documents}, output,
                   [&](int64_t done, int64_t total) { progress.show(done, total); });
  }
  auto file = std::make_unique<TokenFile>(output);
  if (!options.quiet) fmt::print(stderr, "{}: {}\n", name, describe(file->info()));
  return file;
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

bool reads_examples(const TrainingRequest& options) {
  return any_are_json_lines(options.data) || any_are_json_lines(options.eval_data);
}

bool reads_text(const TrainingRequest& options) { return options.tokens.empty() || !options.eval_data.empty(); }

bool uses_tokenizer(const TrainingRequest& options) { return reads_text(options) || GgufFile::is_gguf(options.model); }

void take_shape_of_tokens(TrainingRequest& options) {
  if (options.tokens.empty()) return;
  const BatchShape shape = first_batch_shape(options.tokens);
  options.batch_size = shape.rows;
  options.seq_len = shape.row_length;
}

Dataset::Dataset(const TrainingRequest& options, int64_t vocabulary, int64_t micro_rows) {
  const bool needs_tokenizer = options.tokens.empty() || !options.eval_data.empty();
  std::unique_ptr<TokenizerEncoder> encoder;
  if (needs_tokenizer) encoder = std::make_unique<TokenizerEncoder>(options.model, vocabulary);
  if (options.tokens.empty()) {
    train_file_ = encode_files(options.data, *encoder, options, "train.tokens");
    train_ = TokenBatches::shuffled(*train_file_, options.batch_size, options.seq_len, options.seed);
  } else {
    const std::string train_path = options.output + "/train.tokens";
    tokens_from_batches(options.tokens, vocabulary, train_path);
    train_file_ = std::make_unique<TokenFile>(train_path);
    train_ = TokenBatches::as_given(*train_file_);
  }
  if (!options.eval_data.empty()) {
    evaluation_file_ = encode_files(options.eval_data, *encoder, options, "eval.tokens");
    evaluation_ = TokenBatches::in_order(*evaluation_file_, micro_rows, options.seq_len);
  }
}

RunSettings Dataset::fingerprints() const {
  return {{"the data (--data, --tokens)", fmt::format("{:016x}", train_file_->info().source_fingerprint)},
          {"the tokenizer or chat template", fmt::format("{:016x}", train_file_->info().encoder_fingerprint)},
          {"--isolate-documents", train_file_->info().isolated != 0 ? "on" : "off"}};
}

}  // namespace headroom
