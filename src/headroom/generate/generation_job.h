// A generation job fitted into its budget, from the config and the flags alone: what `plan` prints and `generate` runs.
#pragma once

#include "headroom/generate/generation_graphs.h"
#include "headroom/headroom.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// The context that prompt and new tokens need, at most what the model has positions for; options.context where it is
// set. Throws InvalidInput when the prompt does not fit.
int64_t context_for(const GenerateOptions& options, const Model& model, int64_t prompt_tokens);

// Throws InvalidInput naming the flag that is out of range or does not fit the model. Where options.context is 0 the
// prompt counts as one whole chunk.
GenerationShape read_generation_shape(const GenerateOptions& options, const Model& model);

// Fits the job into options.memory. `tokenizer_bytes`: what the model's tokenizer takes
// (Tokenizer::memory_bound_bytes). Throws as fit_job does.
FittedJob fit_generation(const GenerateOptions& options, const Model& model, int64_t tokenizer_bytes);

}  // namespace headroom
