#include "headroom/train/dataset.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/plural.h"
#include "headroom/comm/do_on_first.h"
#include "headroom/data/data_file.h"
#include "headroom/data/import_ids.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

constexpr int64_t kLargestId = INT32_MAX;

// "12 documents, 3,456 tokens; ..."
std::string describe(const TokenFileInfo& info) {
  std::string text = fmt::format("{}, {}", count_of(info.documents, "document"), count_of(info.tokens, "token"));
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
  if (info.preferences > 0) {
    text += fmt::format("; of {} preferences what was chosen is learned", format_count(info.preferences));
  }
  return text;
}

// "; 15 rows in 2 updates, 7 in the last". `steps`: of the run, 0 for one pass.
std::string describe_rows(const TokenBatches& batches, int64_t steps) {
  const std::string rows = count_of(batches.windows(), "row");
  std::string text;
  if (steps == 0) {
    const int64_t updates = batches.steps().value_or(0);
    const int64_t last = batches.rows(updates - 1);
    text = fmt::format("; {} in {}", rows, count_of(updates, "update"));
    if (last < batches.batch_size()) text += fmt::format(", {} in the last", last);
  } else if (const int64_t seen = batches.windows_before(steps); seen < batches.windows()) {
    text =
        fmt::format("; {} see{} {} of {}", count_of(steps, "update"), steps == 1 ? "s" : "", format_count(seen), rows);
  } else {
    text = "; " + rows;
  }
  if (batches.tokens_left_out() == 0) return text;
  return text + fmt::format("; the last {} tokens fill no row and are left out", batches.tokens_left_out());
}

void encode_files(const std::vector<std::string>& files, TextEncoder& encoder, const Model& model,
                  const TrainingRequest& request, const std::string& output, const InterruptGuard& interrupt) {
  Progress progress("encoding text", request.quiet);
  const Task& task = task_of(model);
  task.encode(files, encoder, model, {task.row_tokens(request.seq_len), request.isolate_documents}, output,
              [&](int64_t done, int64_t total) {
                interrupt.check();
                progress.show(done, total);
              });
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

bool reads_examples(const TrainingRequest& request) {
  return any_hold_records(request.data) || any_hold_records(request.eval_data);
}

bool reads_text(const TrainingRequest& request) { return request.tokens.empty() || !request.eval_data.empty(); }

bool uses_tokenizer(const TrainingRequest& request) { return reads_text(request) || GgufFile::is_gguf(request.model); }

void take_shape_of_tokens(TrainingRequest& request) {
  if (request.tokens.empty()) return;
  const BatchShape shape = first_batch_shape(request.tokens);
  request.batch_size = shape.rows;
  request.seq_len = shape.row_length;
}

Dataset::Dataset(const TrainingRequest& request, const Model& model, int64_t micro_rows,
                 const InterruptGuard& interrupt, Communicator* ranks) {
  const int64_t row_tokens = task_of(model).row_tokens(request.seq_len);
  const std::string train_path = request.output + "/train.tokens";
  const std::string evaluation_path = request.output + "/eval.tokens";
  do_on_first(ranks, [&] {
    std::unique_ptr<TokenizerEncoder> encoder;
    if (reads_text(request)) encoder = std::make_unique<TokenizerEncoder>(request.model, model.vocabulary());
    if (request.tokens.empty()) {
      encode_files(request.data, *encoder, model, request, train_path, interrupt);
    } else {
      tokens_from_batches(request.tokens, model.vocabulary(), train_path);
    }
    if (!request.eval_data.empty())
      encode_files(request.eval_data, *encoder, model, request, evaluation_path, interrupt);
  });
  train_file_ = std::make_unique<TokenFile>(train_path);
  if (request.tokens.empty()) {
    const auto make = request.lr.steps == 0 ? TokenBatches::one_pass : TokenBatches::shuffled;
    train_ = make(*train_file_, request.batch_size, row_tokens, request.seed);
    if (!request.quiet) {
      print_note("train.tokens: {}{}\n", describe(train_file_->info()), describe_rows(*train_, request.lr.steps));
      write_note(describe_unwritten(train_file_->info()));
    }
  } else {
    train_ = TokenBatches::as_given(*train_file_);
  }
  if (!request.eval_data.empty()) {
    evaluation_file_ = std::make_unique<TokenFile>(evaluation_path);
    evaluation_ = TokenBatches::in_order(*evaluation_file_, micro_rows, row_tokens);
    if (!request.quiet) print_note("eval.tokens: {}\n", describe(evaluation_file_->info()));
  }
}

RunSettings Dataset::fingerprints() const {
  return {{"the data (--data, --tokens)", fmt::format("{:016x}", train_file_->info().source_fingerprint)},
          {"the tokenizer or chat template", fmt::format("{:016x}", train_file_->info().encoder_fingerprint)},
          {"--isolate-documents", train_file_->info().isolated != 0 ? "on" : "off"}};
}

}  // namespace headroom
