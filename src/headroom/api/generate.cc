// generate(): from a prompt to text, or from message to answer, in the order that refuses early.
#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "headroom/api/adapter_notes.h"
#include "headroom/api/answer_prompts.h"
#include "headroom/api/conversation.h"
#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/prompt.h"
#include "headroom/api/prompt_rows.h"
#include "headroom/api/run_report.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/generate/generator.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

double rate(int64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

// Adds up answers.
class Totals {
 public:
  Totals() { result_.finish = "end"; }  // until there is an answer
  void add(Continuation answer) {
    read_seconds_ += answer.read_seconds;
    write_seconds_ += answer.write_seconds;
    timed_tokens_ +=  // what was read gave the first token
        std::max<int64_t>(answer.new_tokens - 1, 0);
    ++result_.turns;
    result_.prompt_tokens += answer.read_tokens;
    result_.new_tokens += answer.new_tokens;
    result_.finish = std::move(answer.finish);
    result_.text = std::move(answer.text);
  }
  void stop(int signal) { result_.stopped_by_signal = signal; }
  void finish(const char* how) { result_.finish = how; }

  GenerateResult result() const {
    GenerateResult result = result_;
    result.seconds = read_seconds_ + write_seconds_;
    result.prefill_tokens_per_second = rate(result.prompt_tokens, read_seconds_);
    result.decode_tokens_per_second = rate(timed_tokens_, write_seconds_);
    return result;
  }

 private:
  GenerateResult result_;
  double read_seconds_ = 0;
  double write_seconds_ = 0;
  int64_t timed_tokens_ = 0;
};

// `experts`: null where none are read from files.
void write_report(const GenerateOptions& options, const FittedJob& job, const Forecast& forecast,
                  const ExpertCache* experts, const GenerateResult& result) {
  nlohmann::ordered_json report = report_of(job);
  add_forecast(report, forecast);
  const int64_t tokens = result.prompt_tokens + result.new_tokens;
  add_load(report, result);
  report["tokens"] = tokens;
  report["seconds"] = result.seconds;
  report["tokens_per_second"] = rate(tokens, result.seconds);
  if (options.chat || !options.prompts.empty()) report["turns"] = result.turns;
  report["prompt_tokens"] = result.prompt_tokens;
  report["new_tokens"] = result.new_tokens;
  report["prefill_tokens_per_second"] = result.prefill_tokens_per_second;
  report["decode_tokens_per_second"] = result.decode_tokens_per_second;
  report["finish"] = result.finish;
  if (experts != nullptr) {
    report["experts_needed"] = experts->needed();
    report["experts_read"] = experts->read();
  }
  write_json(options.report, report);
}

bool has_prompt(const GenerateOptions& options) { return !options.prompt.empty() || !options.prompt_file.empty(); }

void check_prompts_flags(const GenerateOptions& options) {
  if (options.prompts.empty()) {
    if (!options.output.empty()) throw InvalidInput("--output: only with --prompts has it a meaning");
    if (options.parallel) throw InvalidInput("--parallel: only with --prompts has it a meaning");
    return;
  }
  if (has_prompt(options)) throw InvalidInput("--prompts: expected no --prompt and no --prompt-file beside it");
  if (options.output.empty()) throw InvalidInput("--prompts: expected --output, the file for the answers");
  std::error_code error;
  if (std::filesystem::exists(options.output, error)) {
    throw InvalidInput("--output {}: it exists; choose another name for the answers", options.output);
  }
  if (!options.logprobs.empty()) {
    throw InvalidInput("--logprobs: many prompts have no single file of them; try --prompt TEXT");
  }
}

void check_chat_flags(const GenerateOptions& options) {
  if (!options.chat && !options.system.empty()) throw InvalidInput("--system: only with --chat has it a meaning");
  if (!options.chat) return;
  if (!options.prompt.empty() && !options.prompt_file.empty()) {
    throw InvalidInput("--prompt, --prompt-file: expected at most one of them");
  }
  if (!has_prompt(options) && !options.logprobs.empty()) {
    throw InvalidInput("--logprobs: a conversation of many turns has no single file of them; try --prompt TEXT");
  }
  if (!has_prompt(options) && options.prompts.empty() && !options.next_message)
    throw InvalidInput("--chat: expected a prompt");
}

// Question by question, until there is none, the context is full, or a signal. An interrupt stops an answer, and the
// conversation only if it has one answer.
void converse(const GenerateOptions& options, Conversation& conversation, Generator& generator, Totals& totals) {
  std::string message = options.prompt;
  if (!options.prompt_file.empty())
    message = read_prompt_file(options.prompt_file, conversation_bytes(options.context));
  const bool one_turn = has_prompt(options);
  for (bool first = true; one_turn ? first : options.next_message(message); first = false) {
    if (!conversation.ask(message)) {
      if (first) throw InvalidInput("{}, or a shorter message", conversation.describe_full());
      print_note("headroom: {}\n", conversation.describe_full());
      totals.finish("context");
      return;
    }
    Continuation answer = generator.run(conversation.prompt());
    const int signal = answer.signal;
    conversation.answer(answer.text);
    totals.add(std::move(answer));
    if (signal == 0 || (signal == SIGINT && !one_turn)) continue;
    totals.stop(signal);
    return;
  }
}

}  // namespace

GenerateResult generate(const GenerateOptions& given) {
  restart_peak();
  GenerateOptions options = given;
  check_prompts_flags(options);
  check_chat_flags(options);
  check_output_paths(outputs_of(options, {{"--logprobs", options.logprobs}, {"--output", options.output}}),
                     {{"MODEL", options.model},
                      {"--adapter", options.adapter},
                      {"--prompt-file", options.prompt_file},
                      {"--prompts", options.prompts}});
  const Backend& backend = choose_backend();
  const std::unique_ptr<Model> model = open_model_directory(options.model, open_settings(options));
  note_adapter(options.adapter, *model, options.quiet);
  GenerationSettings settings = generation_settings(options);
  generation_shape(settings, *model);  // before the tokenizer takes its time
  const Tokenizer tokenizer = open_tokenizer(options.model, *model);
  std::vector<int32_t> prompt;
  int64_t longest = 0;  // of the prompts, in tokens
  if (!options.prompts.empty()) {
    const PromptSurvey survey = survey_prompts(options, tokenizer, *model);
    settings.prompts = survey.prompts;
    longest = survey.longest;
  } else if (!options.chat) {
    prompt = encode_prompt(options, tokenizer, *model);
    longest = static_cast<int64_t>(prompt.size());
  }
  options.context = settings.context = context_for(settings, *model, longest);
  std::optional<ChatTemplate> chat_template;
  if (options.chat && options.prompts.empty()) {
    chat_template = load_chat_template(options.model, conversation_bytes(options.context));
  }
  const StreamSource source(options.model, *model);
  GenerationShape shape;
  Forecast forecast;
  FittedJob job = fit_to_run(options, [&] {
    FittedGeneration fitted =
        fit_generation(settings, *model, resolve_budget(options.memory), tokenizer_bytes_of(options.model),
                       chat_template_bytes_of(options), &source);
    shape = fitted.shape;
    forecast = fitted.forecast;
    return std::move(fitted.job);
  });
  announce_plan(job, options, "plan of generation", options.model);

  check_commit(job);
  ModelRegions regions;
  source.add_regions(job.plan, regions);
  Workspace workspace(std::move(job.graphs), job.plan, backend, options.disk, &regions);
  const LoadUse load = load_use(load_weights(settings, *model, workspace));
  const std::vector<int32_t> end_ids = end_ids_of(options.model, *model, tokenizer.eos_id());
  GenerateResult result;
  if (!options.prompts.empty()) {
    PromptBatch batch(settings, shape, *model, tokenizer, end_ids, workspace);
    result = answer_prompts(options, settings, tokenizer, *model, batch);
  } else {
    Generator generator(settings, shape, *model, tokenizer, end_ids, workspace);
    Totals totals;
    if (options.chat) {
      Conversation conversation(options, *chat_template, tokenizer, *model);
      converse(options, conversation, generator, totals);
    } else {
      Continuation text = generator.run(prompt);
      totals.stop(text.signal);
      totals.add(std::move(text));
    }
    result = totals.result();
  }
  static_cast<LoadUse&>(result) = load;
  static_cast<MemoryUse&>(result) = memory_use(job);
  if (!options.report.empty()) write_report(options, job, forecast, workspace.experts(), result);
  if (!options.quiet && workspace.experts() != nullptr) {
    const ExpertCache& experts = *workspace.experts();
    print_note("\nexperts: {} of the {} that tokens needed were in memory, the others came from files",
               format_count(experts.needed() - experts.read()), format_count(experts.needed()));
  }
  if (!options.quiet && options.prompts.empty()) {
    print_note("\nprompt: {} tokens, {:.1f} tokens/s; text: {} tokens, {:.1f} tokens/s\n", result.prompt_tokens,
               result.prefill_tokens_per_second, result.new_tokens, result.decode_tokens_per_second);
  }
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
