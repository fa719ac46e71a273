// evaluate(): the loss of text, or of given tokens with their logits, in the order that refuses early.
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>

#include "headroom/api/model_source.h"
#include "headroom/api/run_report.h"
#include "headroom/api/token_rows.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/real_math.h"
#include "headroom/formats/json_object.h"
#include "headroom/formats/safetensors_writer.h"
#include "headroom/formats/token_encoder.h"
#include "headroom/generate/evaluation_job.h"
#include "headroom/generate/evaluator.h"
#include "headroom/generate/model_comparison.h"
#include "headroom/generate/text_windows.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/train/text_source.h"

namespace headroom {
namespace {

// Thrown between rows when a signal has come; no file is left behind.
struct Interrupted {
  int signal = 0;
};

void check_options(const EvalOptions& options) {
  if (options.data.empty() == options.tokens.empty()) {
    throw InvalidInput("--data, --tokens: expected exactly one of them: text files, or a file of token ids");
  }
  if (!options.logits.empty() && options.tokens.empty()) {
    throw InvalidInput("--logits: expected with --tokens, whose rows they belong to");
  }
  if (!options.logits.empty() && !options.reference.empty()) {
    throw InvalidInput("--logits, --reference: expected at most one of them; try two runs");
  }
}

// The model to compare with, or null. Its ids must mean what the model's do, of which their number is what can be seen.
std::unique_ptr<Model> open_reference(const EvalOptions& options, const Model& model) {
  if (options.reference.empty()) return nullptr;
  std::unique_ptr<Model> reference = open_model_directory(options.reference);
  if (reference->vocabulary() != model.vocabulary()) {
    throw InvalidInput("--reference {}: its vocabulary has {} tokens; expected {}, those of {}", options.reference,
                       reference->vocabulary(), model.vocabulary(), options.model);
  }
  return reference;
}

// The work of one run: where rows come from and how far they are.
class Evaluation {
 public:
  // `reference` may be null.
  Evaluation(const EvalOptions& options, const Model& model, const Model* reference, const EvaluationShape& shape,
             Workspace& workspace)
      : options_(options), model_(model), reference_(reference), workspace_(workspace) {
    if (reference_ != nullptr) comparison_.emplace(workspace, *reference_, shape);
  }

  LoadStatistics load() {
    Progress progress("loading", options_.quiet);
    const auto show = [&](int64_t done, int64_t total) { progress.show(done, total); };
    LoadStatistics use = load_weights(options_.model, model_, workspace_, show);
    if (reference_ != nullptr) {
      const LoadStatistics more = load_weights(options_.reference, *reference_, workspace_, show, kReferencePrefix);
      use = {use.bytes + more.bytes, use.seconds + more.seconds};
    }
    return use;
  }

  // Rows of ids, and their logits where they are wanted.
  EvalResult run_tokens(const TokenRowsShape& rows, const EvaluationShape& shape) {
    std::optional<SafetensorsWriter> writer;
    Evaluator::LogitSink sink;
    if (!options_.logits.empty()) {
      writer.emplace(options_.logits, std::vector<TensorDeclaration>{
                                          {"logits", f32({rows.rows, rows.row_length, model_.vocabulary()})}});
      sink = [&](const float* logits, int64_t count) {
        writer->write("logits", DType::f32, logits, count * model_.vocabulary());
      };
    }
    Evaluator evaluator(workspace_, model_, shape, sink);
    compare_after_batches(evaluator);
    int64_t done = 0;
    read_token_rows(options_.tokens, model_.vocabulary(), rows.row_length, [&](std::span<const int32_t> ids) {
      if (done == rows.rows || static_cast<int64_t>(ids.size()) != rows.row_length) {
        throw InvalidInput("{}: changed while it was read", options_.tokens);
      }
      stop_if_asked();
      evaluator.add_row(ids);
      progress_.show(++done, rows.rows);
    });
    evaluator.finish();
    if (writer) writer->finish();
    return result_of(evaluator);
  }

  // Windows of text. Documents begin with what the tokenizer puts before a text, and its end of text separates them.
  EvalResult run_text(const Tokenizer& tokenizer, const WindowShape& windows, const EvaluationShape& shape) {
    Evaluator evaluator(workspace_, model_, shape);
    compare_after_batches(evaluator);
    TextWindows cutter(windows.seq_len, windows.stride, [&](std::span<const int32_t> ids, int64_t first_counted) {
      stop_if_asked();
      evaluator.add_row(ids, first_counted);
    });
    int64_t text_tokens = 0;
    const TokenSink ids_to_windows = [&](std::span<const int32_t> ids) {
      cutter.push(ids);
      text_tokens += static_cast<int64_t>(ids.size());
    };
    int64_t total_bytes = 0;
    int64_t done_bytes = 0;
    for (const std::string& path : options_.data) total_bytes += File::open(path).size_bytes();
    const std::optional<int32_t> end_of_text = tokenizer.eos_id();
    TokenEncoder encoder(tokenizer);
    bool in_document = false;
    int64_t documents = 0;
    DocumentSink sink;
    sink.text = [&](std::string_view text) {
      if (!in_document) {
        if (documents > 0 && end_of_text) ids_to_windows({&*end_of_text, 1});
        encoder.begin(true, ids_to_windows);
        in_document = true;
      }
      encoder.text(text);
      done_bytes += static_cast<int64_t>(text.size());
      progress_.show(done_bytes, total_bytes);
    };
    sink.end_document = [&] {
      encoder.finish();
      in_document = false;
      ++documents;
    };
    for (const std::string& path : options_.data) read_documents(path, sink);
    cutter.finish();
    evaluator.finish();
    if (evaluator.predictions() == 0) {
      throw InvalidInput("{}: the text has no more than one token; expected at least two, to predict one",
                         options_.data[0]);
    }
    EvalResult result = result_of(evaluator);
    result.bytes = done_bytes;
    // The first token of all is given; where windows leave others unpredicted, those count as the mean of the rest.
    result.bits_per_byte =
        result.loss * static_cast<double>(text_tokens - 1) / (std::numbers::ln2 * static_cast<double>(done_bytes));
    return result;
  }

 private:
  void stop_if_asked() const {
    if (interrupt_.signal() != 0) throw Interrupted{interrupt_.signal()};
  }

  void compare_after_batches(Evaluator& evaluator) {
    if (comparison_) evaluator.after_batch([&](std::span<const int32_t> targets) { comparison_->add_batch(targets); });
  }

  EvalResult result_of(const Evaluator& evaluator) const {
    EvalResult result;
    result.windows = evaluator.rows();
    result.tokens = evaluator.tokens();
    result.predictions = evaluator.predictions();
    result.loss = evaluator.loss_sum() / static_cast<double>(result.predictions);
    result.perplexity = real::exp(result.loss);
    result.seconds = progress_.elapsed_seconds();
    result.tokens_per_second = static_cast<double>(result.tokens) / result.seconds;
    if (comparison_) {
      const double predictions = static_cast<double>(comparison_->predictions());
      result.reference_loss = comparison_->reference_loss_sum() / predictions;
      result.reference_perplexity = real::exp(result.reference_loss);
      result.kl_divergence = comparison_->kl_divergence_sum() / predictions;
      result.largest_kl_divergence = comparison_->largest_kl_divergence();
      result.top1_agreement = static_cast<double>(comparison_->equal_tops()) / predictions;
    }
    return result;
  }

  const EvalOptions& options_;
  const Model& model_;
  const Model* reference_;
  Workspace& workspace_;
  std::optional<ModelComparison> comparison_;
  const InterruptGuard interrupt_;
  Progress progress_{"evaluating", options_.quiet};
};

void write_report(const EvalOptions& options, const FittedJob& job, const EvalResult& result) {
  nlohmann::ordered_json report = report_of(job);
  add_load(report, result);
  report["tokens"] = result.tokens;
  report["seconds"] = result.seconds;
  report["tokens_per_second"] = result.tokens_per_second;
  report["predictions"] = result.predictions;
  report["loss"] = result.loss;
  report["perplexity"] = result.perplexity;
  report["windows"] = result.windows;
  if (options.tokens.empty()) {
    report["bytes"] = result.bytes;
    report["bits_per_byte"] = result.bits_per_byte;
  }
  if (!options.reference.empty()) {
    report["reference_loss"] = result.reference_loss;
    report["reference_perplexity"] = result.reference_perplexity;
    report["kl_divergence"] = result.kl_divergence;
    report["largest_kl_divergence"] = result.largest_kl_divergence;
    report["top1_agreement"] = result.top1_agreement;
  }
  write_json(options.report, report);
}

}  // namespace

EvalResult evaluate(const EvalOptions& options) {
  restart_peak();
  check_options(options);
  const std::unique_ptr<Model> model = open_model_directory(options.model);
  const std::unique_ptr<Model> reference = open_reference(options, *model);
  const bool reads_text = options.tokens.empty();
  WindowShape windows;
  TokenRowsShape rows;
  if (reads_text) {
    windows = read_window_shape(options, *model);
  } else {
    rows = read_token_rows(options.tokens, model->vocabulary(), model->max_positions(), [](auto) {});
    if (rows.row_length < 2 && options.logits.empty()) {
      throw InvalidInput("{}: rows of one id have no predictions; expected two ids or more, or --logits",
                         options.tokens);
    }
  }
  const EvaluationShape shape =
      read_evaluation_shape(options, *model, reads_text ? windows.seq_len - 1 : rows.row_length);
  if (reference != nullptr && shape.row_tokens > reference->max_positions()) {
    throw InvalidInput("--reference {}: it has {} positions; expected {}, the tokens of a row", options.reference,
                       reference->max_positions(), shape.row_tokens);
  }
  FittedJob job = fit_to_run(options, [&] {
    return fit_evaluation(options, *model, reference.get(), shape, reads_text ? tokenizer_bytes_of(options.model) : 0);
  });
  announce_plan(job, options, "plan of the evaluation");

  std::optional<Tokenizer> tokenizer;
  if (reads_text) tokenizer.emplace(open_tokenizer(options.model, *model));
  check_reserve(job.reserve_bytes + job.plan.arena_bytes);
  Workspace workspace(std::move(job.graphs), job.plan, choose_isa());
  Evaluation evaluation(options, *model, reference.get(), shape, workspace);
  EvalResult result;
  try {
    const LoadUse load = load_use(evaluation.load());
    result = reads_text ? evaluation.run_text(*tokenizer, windows, shape) : evaluation.run_tokens(rows, shape);
    static_cast<LoadUse&>(result) = load;
  } catch (const Interrupted& interrupted) {
    result.stopped_by_signal = interrupted.signal;
  }
  static_cast<MemoryUse&>(result) = memory_use(job);
  if (result.stopped_by_signal != 0) return result;
  if (!options.report.empty()) write_report(options, job, result);
  if (!options.quiet) fmt::print(stderr, "{} tokens, {:.0f} tokens/s\n", result.tokens, result.tokens_per_second);
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
