#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "commands.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

// A conversation: each line of standard input is a message, each answer is a line of standard output or more.
class Lines {
 public:
  void write(std::string_view text) {
    write_result(text);
    if (!text.empty()) at_line_begin_ = text.back() == '\n';
  }
  // False at an empty line and at the end.
  bool next(std::string& message) {
    end_answer();
    if (::isatty(STDIN_FILENO) != 0) write_note("> ");
    message.clear();
    for (int byte = std::getchar(); byte != EOF && byte != '\n'; byte = std::getchar()) {
      if (message.size() == kMaxLineBytes) {
        throw InvalidInput("a line of standard input has more than {} bytes; expected a message", kMaxLineBytes);
      }
      message += static_cast<char>(byte);
    }
    if (message.ends_with('\r')) message.pop_back();
    return !message.empty();
  }
  void end_answer() {
    if (!at_line_begin_) write("\n");
  }

 private:
  static constexpr size_t kMaxLineBytes = 64 * 1024;
  bool at_line_begin_ = true;
};

}  // namespace

void add_generate_flags(CLI::App& command, GenerateOptions& options) {
  command.add_option("--prompt", options.prompt, "The text to continue")->group("Text");
  command.add_option("--prompt-file", options.prompt_file, "Or a file that holds it")->group("Text");
  command
      .add_option(
          "--prompts", options.prompts,
          "Or a file of many, a JSON object a line: {\"prompt\": \"...\"}, or with --chat {\"messages\": [...]}; "
          "they share each reading of the weights")
      ->group("Text");
  command.add_option("--max-new-tokens", options.max_new_tokens, "Tokens to write at most, in each answer")
      ->default_str("128; with --chat: what the context holds")
      ->group("Text");
  command
      .add_flag("--chat", options.chat,
                "Talk: the model's chat template around --prompt, or around each line of standard input, until an "
                "empty one; Ctrl-C stops an answer, and twice the program")
      ->group("Text");
  command.add_option("--system", options.system, "With --chat: what the model is told first")->group("Text");
  command
      .add_option("--stop", options.stop,
                  "End before this text, which may be or hold a special token; several are allowed")
      ->group("Text");
  command.add_option("--temperature", options.temperature, "0: always the likeliest token; 1: the model's odds")
      ->group("Sampling");
  command.add_option("--top-k", options.top_k, "Sample among the k likeliest tokens; 0: all")->group("Sampling");
  command.add_option("--top-p", options.top_p, "Sample among the fewest tokens that have this probability")
      ->group("Sampling");
  command.add_option("--seed", options.seed, "Seed of the sampling")->group("Sampling");
  command
      .add_option(
          "--context", options.context,
          "Tokens to keep in memory, prompt and text; 0: what prompt and --max-new-tokens need, with --chat the "
          "model's positions, at most 4096")
      ->group("Memory");
  command
      .add_option("--prefill-chunk", options.prefill_chunk,
                  "Tokens of the prompt that go through at once, the same bits; default: the largest of 512, 128, 32 "
                  "and 8 that the budget allows")
      ->group("Memory");
  command
      .add_option("--parallel", options.parallel,
                  "With --prompts: texts that are written side by side, the same text for each; default: the most of "
                  "16, 8, 4, 2 and 1 that the budget allows")
      ->group("Memory");
  add_cache_flag(command, options.kv_cache_dtype);
  add_compute_flag(command, options.compute);
  command.add_option("--logprobs", options.logprobs, "Write each new token with its log-probability to this JSON file")
      ->group("Output");
}

void add_generate_command(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("generate", "Continue a text");
  command->footer(
      "Examples:\n"
      "  headroom generate trained --prompt \"Once upon a time\" --temperature 0.8 --top-p 0.95\n"
      "  headroom generate model --chat --temperature 0.6\n"
      "  headroom generate model --prompts questions.jsonl --output answers.jsonl\n"
      "The continuation goes to standard output as it comes, everything else to standard error.");
  command
      ->add_option("model", options->model,
                   "Model directory, or a .gguf file; one that is larger than --memory is read from there as it runs")
      ->required();
  command->add_option("--adapter", options->adapter, "A PEFT adapter (LoRA) to put beside the model's layers");
  add_generate_flags(*command, *options);
  command->add_option("--output", options->output, "With --prompts: the file for the answers, a JSON object a line")
      ->group("Output");
  add_disk_flags(*command, *options);
  add_run_flags(*command, *options);
  command->callback([options] {
    Lines lines;
    options->on_text = [&](std::string_view text) { lines.write(text); };
    options->next_message = [&](std::string& message) { return lines.next(message); };
    const GenerateResult result = generate(*options);
    if (::isatty(STDOUT_FILENO) != 0 || result.turns > 1) lines.end_answer();
    if (result.stopped_by_signal != 0) std::_Exit(128 + result.stopped_by_signal);
  });
}

}  // namespace headroom
