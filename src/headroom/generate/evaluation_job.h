// An evaluation job fitted into its budget, from the config, the flags and the length of the rows alone.
#pragma once

#include "headroom/generate/evaluation_graphs.h"
#include "headroom/generate/streamed_weights.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// Windows of text: tokens, of which the last is only predicted, and the step from one window to the next.
struct WindowShape {
  int64_t seq_len = 0;
  int64_t stride = 0;
};

// What `asked` leaves open (0) is as many as the model has positions for, at most 1024; no overlap. Throws InvalidInput
// naming the flag that is out of range or does not fit the model.
WindowShape window_shape(const WindowShape& asked, const Model& model);

// Of `rows` rows of `row_tokens` tokens at a time, with the fewest rows of logits at a time where they are wanted (of
// a classifier always, those of its labels), the adapter of that PEFT directory, if any, `compute` (compute.h), and
// keys and values as they are kept in a KV cache of `cache_kind`.
// Throws as window_shape.
EvaluationShape evaluation_shape(const Model& model, int64_t rows, int64_t row_tokens, bool wants_logits,
                                 const std::string& adapter, const std::string& compute, CacheKind cache_kind);

// Fits the job into the budget, with as many rows of logits at a time as that allows: fitted.shape is `shape` with
// those. `reference`: the model to compare with, null for none. `tokenizer_bytes`: what
// the tokenizer that the text is encoded with takes (Tokenizer::memory_bound_bytes), 0 for none; `document_bytes`: what
// its documents take beside it; `text_bytes`: of its files' names (named_text_bytes); `source`: the model's files, in
// which weights may stay. Throws as fit_streamed does.
struct FittedEvaluation {
  FittedJob job;
  EvaluationShape shape;
};
FittedEvaluation fit_evaluation(const Model& model, const Model* reference, const EvaluationShape& shape,
                                const Budget& budget, int threads, const TraceSettings& tracing,
                                int64_t tokenizer_bytes, int64_t document_bytes, int64_t text_bytes,
                                const StreamSource& source);

}  // namespace headroom
