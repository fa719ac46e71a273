// A generation job fitted into its budget, from the config and the flags alone: what `plan` prints and `generate` runs.
#pragma once

#include "headroom/generate/generation_graphs.h"
#include "headroom/headroom.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// The context that prompt and new tokens need, at most what the model has positions for; options.context where it is
// set. Throws InvalidInput when the prompt does not fit.
int64_t context_for(const GenerateOptions& options, const Model& model, int64_t prompt_tokens);

// options.max_new_tokens, or what it is by default.
int64_t most_new_tokens(const GenerateOptions& options);

// The longest text that a conversation of this many tokens may have, in bytes: a bound for planning, far above what
// tokens are worth.
int64_t conversation_bytes(int64_t context);

// Throws InvalidInput naming the flag that is out of range or does not fit the model. Where options.context is 0 a
// prompt of options.prefill_chunk or 128 tokens is assumed. Without options.prefill_chunk the chunk is the largest that
// a budget may allow.
GenerationShape read_generation_shape(const GenerateOptions& options, const Model& model);

struct FittedGeneration {
  FittedJob job;
  GenerationShape shape;  // with the chunk that fits
};

// Fits the job into options.memory. `tokenizer_bytes`: what the model's tokenizer takes
// (Tokenizer::memory_bound_bytes); `chat_template_bytes`: of its template, with options.chat. Throws as fit_job does.
FittedGeneration fit_generation(const GenerateOptions& options, const Model& model, int64_t tokenizer_bytes,
                                int64_t chat_template_bytes = 0);

}  // namespace headroom
