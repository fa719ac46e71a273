// evaluate(): the loss of text, or of given tokens with their logits, in the order that refuses early.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>

#include "headroom/api/adapter_notes.h"
#include "headroom/api/document_rows.h"
#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/run_report.h"
#include "headroom/api/token_rows.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"
#include "headroom/base/threads.h"
#include "headroom/data/data_file.h"
#include "headroom/data/encode_files.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/generate/evaluation_job.h"
#include "headroom/generate/evaluator.h"
#include "headroom/generate/model_comparison.h"
#include "headroom/models/adapter.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/tasks/classify.h"

namespace headroom {
namespace {

void check_options(const EvalOptions& options) {
  if (options.data.empty() == options.tokens.empty()) {
    throw InvalidInput("--data, --tokens: expected exactly one of them: text files, or a file of token ids");
  }
  if (!options.logits.empty() && !options.reference.empty()) {
    throw InvalidInput("--logits, --reference: expected at most one of them; try two runs");
  }
}

// What depends on whether the model gives texts a label.
void check_options(const EvalOptions& options, bool classifies) {
  if (!classifies) {
    if (!options.logits.empty() && options.tokens.empty()) {
      throw InvalidInput("--logits: expected with --tokens, whose rows they belong to");
    }
    return;
  }
  const auto refuse = [](const char* flag) {
    throw InvalidInput("{}: a classifier takes whole texts with their labels; expected --data without it", flag);
  };
  if (!options.tokens.empty()) refuse("--tokens");
  if (!options.reference.empty()) refuse("--reference");
  if (options.stride != 0) refuse("--stride");
  if (options.isolate_documents) refuse("--isolate-documents");
}

// The model to compare with, or null. Its ids must mean what the model's do, of which their number is what can be seen.
std::unique_ptr<Model> open_reference(const EvalOptions& options, const Model& model) {
  if (options.reference.empty()) return nullptr;
  std::unique_ptr<Model> reference = open_model_directory(options.reference, open_settings(options));
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
  Evaluation(const EvalOptions& options, const Model& model, const Model* reference, Workspace& workspace)
      : options_(options), model_(model), reference_(reference), workspace_(workspace) {
    if (reference_ != nullptr) comparison_.emplace(workspace, *reference_);
  }

  LoadStatistics load() {
    Progress progress("loading", options_.quiet);
    const auto show = [&](int64_t done, int64_t total) {
      interrupt_.check();
      progress.show(done, total);
    };
    LoadStatistics use = load_weights(options_.model, model_, workspace_, show);
    const LoadStatistics adapter = load_adapter(options_.adapter, model_, workspace_);
    use = {use.bytes + adapter.bytes, use.seconds + adapter.seconds};
    if (reference_ != nullptr) {
      const LoadStatistics more = load_weights(options_.reference, *reference_, workspace_, show, Source::reference);
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
      interrupt_.check();
      evaluator.add_row(ids);
      progress_.show(++done, rows.rows);
    });
    evaluator.finish();
    if (writer) writer->finish();
    return result_of(evaluator);
  }

  // Texts with labels, for a classifier.
  EvalResult run_labelled(TextEncoder& encoder, int64_t seq_len, const EvaluationShape& shape) {
    const auto labels = static_cast<int64_t>(model_.labels().size());
    std::optional<SafetensorsWriter> writer;
    if (!options_.logits.empty()) {
      int64_t texts = 0;
      for (const std::string& path : options_.data) texts += count_labelled_texts(path);
      writer.emplace(options_.logits, std::vector<TensorDeclaration>{{"logits", f32({texts, labels})}});
    }
    std::vector<int32_t> waiting;  // the labels of texts whose logits have not come
    int64_t right = 0;
    Evaluator evaluator(workspace_, model_, shape, [&](const float* logits, int64_t texts) {
      for (int64_t i = 0; i < texts; ++i) {
        const float* row = logits + i * labels;
        right += std::max_element(row, row + labels) - row == waiting[static_cast<size_t>(i)] ? 1 : 0;
      }
      waiting.erase(waiting.begin(), waiting.begin() + texts);
      if (writer) writer->write("logits", DType::f32, logits, texts * labels);
    });
    EvalResult result;
    std::vector<int32_t> targets;
    const int64_t total_bytes = text_bytes_of(options_.data);
    int64_t done_bytes = 0;
    const auto add = [&](std::span<const int32_t> ids, int32_t label, int64_t lost) {
      interrupt_.check();
      result.truncated += lost > 0 ? 1 : 0;
      result.truncated_tokens += lost;
      targets.assign(ids.size(), -1);
      targets.back() = label;
      waiting.push_back(label);
      evaluator.add_row(ids, targets);
    };
    for (const std::string& path : options_.data) {
      read_labelled_texts(path, encoder, label_settings(model_, seq_len), add, [&](int64_t bytes) {
        interrupt_.check();
        progress_.show(done_bytes + bytes, total_bytes);
      });
      done_bytes += DataFile(path).text_bytes();
    }
    evaluator.finish();
    if (evaluator.predictions() == 0) {
      throw InvalidInput("{}: holds no text; expected lines with \"text\" and \"label\"", options_.data[0]);
    }
    if (writer) writer->finish();
    fill_result(result, evaluator);
    result.is_classified = true;
    result.perplexity = 0;
    result.accuracy = static_cast<double>(right) / static_cast<double>(result.predictions);
    return result;
  }

  // Documents, as train encodes them (docs/data.md).
  EvalResult run_documents(TextEncoder& encoder, const WindowShape& windows, const EvaluationShape& shape) {
    Evaluator evaluator(workspace_, model_, shape);
    compare_after_batches(evaluator);
    const int64_t total_bytes = text_bytes_of(options_.data);
    const DocumentEncoder* position = nullptr;
    DocumentRows rows(evaluator, windows.seq_len, windows.stride, options_.isolate_documents, [&] {
      interrupt_.check();
      progress_.show(position->text_bytes(), total_bytes);
    });
    DocumentEncoder documents(encoder, windows.seq_len, rows);
    position = &documents;
    int64_t preferences = 0;
    for (const std::string& path : options_.data) preferences += read_documents(path, documents);
    rows.finish();
    if (evaluator.predictions() == 0) {
      throw InvalidInput(
          "{}: no prediction counts; expected a text of two tokens or more, or an example that counts in its first {}",
          options_.data[0], windows.seq_len);
    }
    EvalResult result = result_of(evaluator);
    result.truncated = rows.truncated();
    result.truncated_tokens = rows.truncated_tokens();
    result.dropped = rows.dropped();
    result.preferences = preferences;
    result.without_reasoning = documents.without_reasoning();
    result.without_tools = documents.without_tools();
    if (!options_.quiet) {
      progress_.wipe();
      write_note(describe_unwritten({.documents = documents.documents(),
                                     .without_reasoning = result.without_reasoning,
                                     .without_tools = result.without_tools}));
    }
    if (rows.examples() == 0) {
      result.bytes = documents.text_bytes();
      // What is put before a text is given. Other tokens that windows leave unpredicted count as the mean of the rest.
      const int64_t given = encoder.has_token_before() ? rows.first_texts() : 0;
      result.bits_per_byte = result.loss * static_cast<double>(rows.text_tokens() - given) /
                             (std::numbers::ln2 * static_cast<double>(result.bytes));
    }
    return result;
  }

 private:
  void compare_after_batches(Evaluator& evaluator) {
    if (comparison_) evaluator.after_batch([&](std::span<const int32_t> targets) { comparison_->add_batch(targets); });
  }

  EvalResult result_of(const Evaluator& evaluator) const {
    EvalResult result;
    fill_result(result, evaluator);
    return result;
  }

  void fill_result(EvalResult& result, const Evaluator& evaluator) const {
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
  }

  const EvalOptions& options_;
  const Model& model_;
  const Model* reference_;
  Workspace& workspace_;
  std::optional<ModelComparison> comparison_;
  const InterruptGuard interrupt_;
  Progress progress_{"evaluating", options_.quiet};
};

void check_paths(const EvalOptions& options) {
  std::vector<InputPath> inputs = {{"MODEL", options.model},
                                   {"--reference", options.reference},
                                   {"--adapter", options.adapter},
                                   {"--tokens", options.tokens}};
  for (const std::string& path : options.data) inputs.push_back({"--data", path});
  check_output_paths(outputs_of(options, {{"--logits", options.logits}}), inputs);
}

void write_report(const EvalOptions& options, const FittedJob& job, const EvalResult& result) {
  nlohmann::ordered_json report = report_of(job);
  add_load(report, result);
  report["tokens"] = result.tokens;
  report["seconds"] = result.seconds;
  report["tokens_per_second"] = result.tokens_per_second;
  report["predictions"] = result.predictions;
  report["loss"] = result.loss;
  if (result.is_classified) {
    report["accuracy"] = result.accuracy;
  } else {
    report["perplexity"] = result.perplexity;
    report["windows"] = result.windows;
  }
  if (options.tokens.empty()) {
    report["truncated"] = result.truncated;
    report["truncated_tokens"] = result.truncated_tokens;
    report["dropped"] = result.dropped;
    report["preferences"] = result.preferences;
    report["without_reasoning"] = result.without_reasoning;
    report["without_tools"] = result.without_tools;
  }
  if (result.bytes > 0) {
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
  check_paths(options);
  check_data_files(options.data);
  const Backend& backend = choose_backend();
  const std::unique_ptr<Model> model = open_model_directory(options.model, open_settings(options));
  note_adapter(options.adapter, *model, options.quiet);
  const bool classifies = !model->labels().empty();
  check_options(options, classifies);
  const std::unique_ptr<Model> reference = open_reference(options, *model);
  const bool reads_text = options.tokens.empty();
  WindowShape windows;
  TokenRowsShape rows;
  if (reads_text) {
    windows = window_shape({options.seq_len, options.stride}, *model);
  } else {
    rows = read_token_rows(options.tokens, model->vocabulary(), model->max_positions(), [](auto) {});
    if (rows.row_length < 2 && options.logits.empty()) {
      throw InvalidInput("{}: rows of one id have no predictions; expected two ids or more, or --logits",
                         options.tokens);
    }
  }
  const EvaluationShape leanest = evaluation_shape(
      *model, options.batch_size, reads_text ? task_of(*model).row_tokens(windows.seq_len) - 1 : rows.row_length,
      !options.logits.empty() || !options.reference.empty(), options.adapter, options.compute,
      parse_cache_kind(options.kv_cache_dtype, "--kv-cache-dtype"));
  if (reference != nullptr && leanest.row_tokens > reference->max_positions()) {
    throw InvalidInput("--reference {}: it has {} positions; expected {}, the tokens of a row", options.reference,
                       reference->max_positions(), leanest.row_tokens);
  }
  const int64_t tokenizer_bytes = reads_text ? tokenizer_bytes_of(options.model) : 0;
  const int64_t document_bytes = reads_text ? example_bound_bytes(options.model, options.data, windows.seq_len) : 0;
  StreamSource source(options.model, *model);
  if (reference != nullptr) source.add_reference(options.reference, *reference);
  EvaluationShape shape;
  FittedJob job = fit_to_run(options, [&] {
    FittedEvaluation fitted =
        fit_evaluation(*model, reference.get(), leanest, resolve_budget(options.memory),
                       threads_to_use(options.threads), trace_settings(options), tokenizer_bytes, document_bytes,
                       named_text_bytes(options.data, 0) + named_text_bytes(options.disable_passes, 1) +
                           config_bytes(options.model) + config_bytes(options.reference),
                       source);
    shape = fitted.shape;
    return std::move(fitted.job);
  });
  announce_plan(job, options, "plan of the evaluation", options.model);

  std::optional<TokenizerEncoder> encoder;
  if (reads_text) encoder.emplace(options.model, model->vocabulary());
  check_commit(job);
  ModelRegions regions;
  source.add_regions(job.plan, regions);
  Workspace workspace(std::move(job.graphs), job.plan, backend, "", &regions);
  Evaluation evaluation(options, *model, reference.get(), workspace);
  EvalResult result;
  try {
    const LoadUse load = load_use(evaluation.load());
    result = classifies   ? evaluation.run_labelled(*encoder, windows.seq_len, shape)
             : reads_text ? evaluation.run_documents(*encoder, windows, shape)
                          : evaluation.run_tokens(rows, shape);
    static_cast<LoadUse&>(result) = load;
  } catch (const Interrupted& interrupted) {
    result.stopped_by_signal = interrupted.signal;
  }
  static_cast<MemoryUse&>(result) = memory_use(job);
  if (result.stopped_by_signal != 0) return result;
  if (!options.report.empty()) write_report(options, job, result);
  if (!options.quiet) print_note("{} tokens, {:.0f} tokens/s\n", result.tokens, result.tokens_per_second);
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
