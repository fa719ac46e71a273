// An evaluation job fitted into its budget, from the config, the flags and the length of the rows alone.
#pragma once

#include "headroom/generate/evaluation_graphs.h"
#include "headroom/headroom.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// Windows of text: options.seq_len tokens, of which the last is only predicted, and the step from one window to the
// next. Where the options leave them open: as many as the model has positions for, at most 1024; no overlap.
struct WindowShape {
  int64_t seq_len = 0;
  int64_t stride = 0;
};

// Throws InvalidInput naming the flag that is out of range or does not fit the model.
WindowShape read_window_shape(const EvalOptions& options, const Model& model);

// Of rows of `row_tokens` tokens that go through the model, options.batch_size at a time, with the rows of logits that
// fit a buffer where options.logits or options.reference asks for them. Throws as read_window_shape.
EvaluationShape read_evaluation_shape(const EvalOptions& options, const Model& model, int64_t row_tokens);

// Fits the job into options.memory. `reference`: the model to compare with, null for none. `tokenizer_bytes`: what
// the tokenizer that the text is encoded with takes (Tokenizer::memory_bound_bytes), 0 for none; `document_bytes`: what
// its documents take beside it. Throws as fit_job does.
FittedJob fit_evaluation(const EvalOptions& options, const Model& model, const Model* reference,
                         const EvaluationShape& shape, int64_t tokenizer_bytes, int64_t document_bytes);

}  // namespace headroom
