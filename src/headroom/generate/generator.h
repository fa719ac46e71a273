// The generation loop: a prompt into the cache in chunks, then token after token until something ends the text. What
// the cache holds already of a prompt is not read again: the next turn of a conversation costs only what is new in it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "headroom/generate/answer.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/token_log.h"
#include "headroom/generate/token_picker.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {

class Generator {
 public:
  // All borrowed. A token of `end_ids` ends a text and is not part of it. `shape` and `workspace` are those of
  // fit_generation(settings, ...).
  Generator(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
            const Tokenizer& tokenizer, std::vector<int32_t> end_ids, Workspace& workspace);

  // Runs to an end id, a stop string, the last token asked for, a full context, or a signal. Text goes to
  // settings.on_text as it becomes certain and is in the result; the file of log-probabilities is written. `prompt` is
  // not empty, fits the context, and its ids are in the model's vocabulary. Throws InvalidInput when the logits are no
  // numbers.
  Continuation run(std::span<const int32_t> prompt);

 private:
  void read_prompt(std::span<const int32_t> prompt, const InterruptGuard& interrupt, Continuation& result);
  void write_text(std::span<const int32_t> prompt, const InterruptGuard& interrupt, std::optional<TokenLog>& log,
                  Continuation& result);
  size_t feed(std::span<const int32_t> tokens);  // one step; how many of them it took

  const GenerationSettings& settings_;
  const Tokenizer& tokenizer_;
  const GenerationShape shape_;
  GenerationSteps steps_;
  TokenPicker picker_;
  std::vector<int32_t> end_ids_;
  std::vector<int32_t> cached_;  // the tokens in the cache
};

}  // namespace headroom
