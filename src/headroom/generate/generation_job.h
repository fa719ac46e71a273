// A generation job fitted into its budget, from the config and the flags alone: what `plan` prints and `generate` runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/generate/forecast.h"
#include "headroom/generate/generation_graphs.h"
#include "headroom/generate/sampler.h"
#include "headroom/generate/streamed_weights.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/runtime/fit.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// What a run is asked for. Each number is in its range; whether it fits the model is asked below.
struct GenerationSettings {
  std::string model;    // directory or file
  std::string adapter;  // PEFT directory; empty: none
  bool chats = false;
  int64_t most_new_tokens = 0;
  int64_t context = 0;                   // of each sequence; 0: what prompt and new tokens need
  std::optional<int64_t> parallel;       // sequences side by side; none: as many as fit, of `prompts` at most 16
  int64_t prompts = 0;                   // in the file of them; 0: there is none
  std::optional<int64_t> prefill_chunk;  // none: the largest that the budget allows
  CacheKind cache_kind = CacheKind::f32;
  std::string compute = "auto";  // compute.h
  SamplingSettings sampler;
  std::vector<std::string> stop;
  int64_t text_bytes = 0;  // of these and of other texts that flags name (named_text_bytes)
  std::string logprobs;    // file; empty: none
  std::string disk;        // directory that the KV cache may be kept in; empty: none
  std::string disk_limit;  // size; empty: none
  std::function<void(std::string_view text)> on_text;
  int threads = 1;
  bool quiet = false;
  TraceSettings trace;
};

// What most_new_tokens is where nobody says it.
int64_t default_new_tokens(bool chats);

// The context that prompt and new tokens need, at most what the model has positions for; settings.context where it is
// set. Throws InvalidInput when the prompt does not fit.
int64_t context_for(const GenerationSettings& settings, const Model& model, int64_t prompt_tokens);

// The longest text that a conversation of this many tokens may have, in bytes: a bound for planning, far above what
// tokens are worth.
int64_t conversation_bytes(int64_t context);

// The same of a conversation that is one of many prompts.
inline constexpr int64_t kPromptTextBytes = int64_t{1} << 20;

// Throws InvalidInput naming the flag that does not fit the model. Where settings.context is 0 a prompt of
// settings.prefill_chunk or 128 tokens is assumed. Without a prefill_chunk the chunk is the largest that a budget may
// allow.
GenerationShape generation_shape(const GenerationSettings& settings, const Model& model);

struct FittedGeneration {
  FittedJob job;
  GenerationShape shape;  // with the chunk that fits
  Forecast forecast;      // by known_rates
};

// Fits the job into the budget. `tokenizer_bytes`: what the model's tokenizer takes
// (Tokenizer::memory_bound_bytes); `chat_template_bytes`: of its template, with a chat; `source`: the files that
// weights may stay in, or null. Throws as fit_streamed does.
FittedGeneration fit_generation(const GenerationSettings& settings, const Model& model, const Budget& budget,
                                int64_t tokenizer_bytes, int64_t chat_template_bytes = 0,
                                const StreamSource* source = nullptr);

// Reads the weights of model and adapter.
LoadStatistics load_weights(const GenerationSettings& settings, const Model& model, Workspace& workspace);

}  // namespace headroom
