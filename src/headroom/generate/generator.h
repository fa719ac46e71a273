// The generation loop: a prompt into the cache in chunks, then token after token until something ends the text. What
// the cache holds already of a prompt is not read again: the next turn of a conversation costs only what is new in it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/generate/generation_job.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/sampler.h"
#include "headroom/generate/stop_strings.h"
#include "headroom/generate/token_log.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {

// What a prompt was continued with.
struct Continuation {
  std::string text;
  int64_t read_tokens = 0;  // of the prompt; the cache held the others
  int64_t new_tokens = 0;
  double read_seconds = 0;
  double write_seconds = 0;
  std::string finish;  // as in GenerateResult
  int signal = 0;      // that stopped it; 0: none
};

class Generator {
 public:
  // All borrowed. A token of `end_ids` ends a text and is not part of it. `shape` and `workspace` are those of
  // fit_generation(settings, ...).
  Generator(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
            const Tokenizer& tokenizer, std::vector<int32_t> end_ids, Workspace& workspace);

  // Reads the weights from the model's directory.
  LoadStatistics load();

  // Runs to an end id, a stop string, the last token asked for, a full context, or a signal. Text goes to
  // settings.on_text as it becomes certain and is in the result; the file of log-probabilities is written. `prompt` is
  // not empty, fits the context, and its ids are in the model's vocabulary. Throws InvalidInput when the logits are no
  // numbers.
  Continuation run(std::span<const int32_t> prompt);

 private:
  void read_prompt(std::span<const int32_t> prompt, const InterruptGuard& interrupt, Continuation& result);
  void write_text(const InterruptGuard& interrupt, Continuation& result);
  size_t feed(std::span<const int32_t> tokens);  // one step; how many of them it took
  int32_t next_token();
  void emit(std::string_view text, Continuation& result) const;

  const GenerationSettings& settings_;
  const Model& model_;
  const Tokenizer& tokenizer_;
  const GenerationShape shape_;
  Workspace& workspace_;
  GenerationSteps steps_;
  Sampler sampler_;
  std::vector<int32_t> end_ids_;
  std::vector<int32_t> cached_;  // the tokens in the cache
  // Of the text that is being written.
  std::unique_ptr<StreamDecoder> decoder_;
  std::unique_ptr<StopStrings> stops_;
  std::unique_ptr<TokenLog> log_;
};

}  // namespace headroom
