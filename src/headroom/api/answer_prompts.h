// The part of generate() that is for many prompts: those of a file answered into another.
#pragma once

#include "headroom/generate/prompt_batch.h"
#include "headroom/headroom.h"

namespace headroom {

// All prompts of options.prompts, with a progress bar. What was complete when a signal came is written, too. Rates of
// the result are over the whole time: reading and writing are not apart. Throws as PromptRows and AnswerFile do.
GenerateResult answer_prompts(const GenerateOptions& options, const GenerationSettings& settings,
                              const Tokenizer& tokenizer, const Model& model, PromptBatch& batch);

}  // namespace headroom
