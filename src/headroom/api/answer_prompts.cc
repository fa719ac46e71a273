#include "headroom/api/answer_prompts.h"

#include <fmt/core.h>

#include <map>

#include "headroom/api/answer_file.h"
#include "headroom/api/prompt_rows.h"
#include "headroom/base/console.h"
#include "headroom/runtime/progress.h"

namespace headroom {

GenerateResult answer_prompts(const GenerateOptions& options, const GenerationSettings& settings,
                              const Tokenizer& tokenizer, const Model& model, PromptBatch& batch) {
  const InterruptGuard interrupt;  // before there is a file that a signal would leave unfinished
  PromptRows rows(options, tokenizer, model);
  AnswerFile answers(options.output);
  Progress progress("answering", options.quiet);
  GenerateResult result;
  int64_t number = 0;
  std::map<int64_t, nlohmann::ordered_json> ids;  // of prompts that are not answered yet
  const PromptBatch::Next next = [&]() -> std::optional<Prompt> {
    std::optional<PromptRow> row = rows.next();
    if (!row) return std::nullopt;
    if (!row->id.is_null()) ids[number] = std::move(row->id);
    return Prompt{number++, std::move(row->ids), row->seed.value_or(options.seed)};
  };
  const PromptBatch::Done done = [&](const Prompt& prompt, const Answer& answer) {
    const auto id = ids.find(prompt.number);
    answers.add(prompt, id == ids.end() ? nullptr : id->second, answer);
    if (id != ids.end()) ids.erase(id);
    ++result.turns;
    result.prompt_tokens += static_cast<int64_t>(prompt.ids.size());
    result.new_tokens += answer.new_tokens();
    progress.show(
        result.turns, settings.prompts,
        {fmt::format("{:.1f} tokens/s", static_cast<double>(result.new_tokens) / progress.elapsed_seconds())});
  };
  result.stopped_by_signal = batch.run(next, done, interrupt);
  result.seconds = progress.elapsed_seconds();
  result.finish = result.stopped_by_signal == 0 ? "end" : "interrupted";
  answers.finish();
  progress.wipe();
  result.prefill_tokens_per_second = static_cast<double>(result.prompt_tokens) / result.seconds;
  result.decode_tokens_per_second = static_cast<double>(result.new_tokens) / result.seconds;
  if (!options.quiet) {
    print_note("{} of {} prompts answered into {}: {} tokens read, {} written in {}, {:.1f} tokens/s\n", result.turns,
               settings.prompts, options.output, result.prompt_tokens, result.new_tokens,
               format_duration(result.seconds), result.decode_tokens_per_second);
  }
  return result;
}

}  // namespace headroom
