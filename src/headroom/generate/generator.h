// The generation loop: the prompt into the cache in chunks, then token after token until something ends the text.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "headroom/formats/stream_decoder.h"
#include "headroom/formats/tensor_loader.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/sampler.h"
#include "headroom/generate/stop_strings.h"
#include "headroom/generate/token_log.h"
#include "headroom/headroom.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {

class Generator {
 public:
  // All borrowed. `prompt` is not empty, fits options.context, and its ids are in the model's vocabulary; a token of
  // `end_ids` ends the text and is not part of it. `workspace` is that of fit_generation(options, ...).
  Generator(const GenerateOptions& options, const Model& model, const Tokenizer& tokenizer, std::vector<int32_t> prompt,
            std::vector<int32_t> end_ids, Workspace& workspace);

  // Reads the weights from the model's directory.
  LoadStatistics load();

  // Runs to an end id, a stop string, the last token asked for, a full context, or a signal. Text goes to
  // options.on_text as it becomes certain and is in the result; the file of log-probabilities is written. Fills all of
  // the result but its MemoryUse and LoadUse. Throws InvalidInput when the logits are no numbers.
  GenerateResult run();

 private:
  void read_prompt(const InterruptGuard& interrupt);
  void write_text(const InterruptGuard& interrupt, GenerateResult& result);
  int32_t next_token();
  void emit(std::string_view text, GenerateResult& result) const;

  const GenerateOptions& options_;
  const Model& model_;
  const GenerationShape shape_;
  Workspace& workspace_;
  GenerationSteps steps_;
  Sampler sampler_;
  StreamDecoder decoder_;
  StopStrings stops_;
  std::vector<int32_t> prompt_;
  std::vector<int32_t> end_ids_;
  std::unique_ptr<TokenLog> log_;
};

}  // namespace headroom
