#include "headroom/generate/generation_job.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/threads.h"
#include "headroom/formats/chat/chat_template.h"
#include "headroom/models/adapter.h"
#include "headroom/passes/pass_dump.h"

namespace headroom {
namespace {

// Fixed buffers of the run: pieces of text, the file of log-probabilities.
constexpr int64_t kBufferBytes = 256 * kKiB;
// For each token of the context: its id, and the text that the result holds.
constexpr int64_t kTokenBytes = 16;

constexpr int64_t kMaxContext = int64_t{1} << 30;
constexpr int64_t kChatContext = 4096;
constexpr int64_t kNewTokens = 128;
constexpr int64_t kAssumedPrompt = 128;
constexpr int64_t kLargestChunk = 512;  // beyond, products gain nothing
constexpr int64_t kSmallestChunk = 8;

void expect_count(const char* flag, int64_t got, int64_t least) {
  if (got < least) throw InvalidInput("{} {}: expected a number of {} or more", flag, got, least);
}

void check_context(int64_t context, const Model& model) {
  const int64_t most = std::min(model.max_positions(), kMaxContext);
  if (context > most) {
    throw InvalidInput("--context {}: the model has {} positions; expected at most as many", context, most);
  }
}

// From fastest to leanest.
std::vector<GenerationShape> shapes_to_try(const GenerateOptions& options, const GenerationShape& largest) {
  std::vector<GenerationShape> shapes = {largest};
  if (options.prefill_chunk) return shapes;
  for (int64_t chunk = kLargestChunk / 4; chunk >= kSmallestChunk; chunk /= 4) {
    if (chunk >= largest.prefill_chunk) continue;
    shapes.push_back(largest);
    shapes.back().prefill_chunk = chunk;
  }
  return shapes;
}

}  // namespace

int64_t most_new_tokens(const GenerateOptions& options) {
  return options.max_new_tokens.value_or(options.chat ? kMaxContext : kNewTokens);
}

int64_t conversation_bytes(int64_t context) { return std::min(64 * kKiB + 8 * context, kMiB); }

int64_t context_for(const GenerateOptions& options, const Model& model, int64_t prompt_tokens) {
  expect_count("--max-new-tokens", most_new_tokens(options), 0);
  expect_count("--context", options.context, 0);
  check_context(options.context, model);
  const int64_t least = prompt_tokens + std::min<int64_t>(most_new_tokens(options), 1);
  const int64_t largest = std::min(model.max_positions(), options.chat ? kChatContext : kMaxContext);
  const int64_t most = options.context > 0 ? options.context : largest;
  if (least > most) {
    throw InvalidInput("the prompt has {} tokens and the {} {}, new tokens included; {}", format_count(prompt_tokens),
                       options.context > 0 ? "--context" : "model's context", format_count(most),
                       options.context > 0 ? "try a larger --context or a shorter prompt" : "try a shorter prompt");
  }
  if (options.context > 0 || options.chat) return most;
  return std::min(most, add_sizes(prompt_tokens, most_new_tokens(options), "--context"));
}

GenerationShape read_generation_shape(const GenerateOptions& options, const Model& model) {
  const int64_t chunk = options.prefill_chunk.value_or(kLargestChunk);
  expect_count("--prefill-chunk", chunk, 1);
  expect_count("--top-k", options.top_k, 0);
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    throw InvalidInput("--temperature {}: expected 0 (greedy) or more", options.temperature);
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw InvalidInput("--top-p {}: expected more than 0 and at most 1", options.top_p);
  }
  GenerationShape shape;
  shape.cache_dtype = parse_dtype(options.kv_cache_dtype, "--kv-cache-dtype");
  if (shape.cache_dtype != DType::f32 && shape.cache_dtype != DType::bf16 && shape.cache_dtype != DType::f16) {
    throw InvalidInput("--kv-cache-dtype {}: expected f32, bf16 or f16", options.kv_cache_dtype);
  }
  const int64_t prompt = std::min(options.prefill_chunk.value_or(kAssumedPrompt), model.max_positions() - 1);
  shape.context = context_for(options, model, options.context > 0 || options.chat ? 0 : prompt);
  shape.prefill_chunk = std::min(chunk, shape.context);
  shape.orders_vocabulary = options.temperature > 0 && (options.top_k > 0 || options.top_p < 1);
  return shape;
}

FittedGeneration fit_generation(const GenerateOptions& options, const Model& model, int64_t tokenizer_bytes,
                                int64_t chat_template_bytes) {
  GenerationShape shape = read_generation_shape(options, model);
  shape.adapter = open_adapter(options.adapter, model);
  PassTrace trace = trace_passes(options);
  ReserveInputs reserve;
  reserve.threads = threads_to_use(options.threads);
  reserve.buffer_bytes = kBufferBytes + kTokenBytes * shape.context;
  reserve.tokenizer_bytes = tokenizer_bytes;
  if (options.chat) {  // the template and a render, the messages and a copy of them
    const int64_t text_bytes = conversation_bytes(shape.context);
    reserve.buffer_bytes += ChatTemplate::memory_bound_bytes(chat_template_bytes, text_bytes) + 2 * text_bytes;
  }
  const std::vector<GenerationShape> shapes = shapes_to_try(options, shape);
  std::vector<Candidate> candidates;
  for (const GenerationShape& one : shapes) {
    const std::string cache = one.cache_dtype == DType::f32 ? "" : fmt::format(" in {}", name_of(one.cache_dtype));
    candidates.push_back({fmt::format("context {}{}, prefill in chunks of {}", one.context, cache, one.prefill_chunk),
                          [&] { return build_generation_graphs(model, one, &trace); }});
  }
  FittedJob job = fit_job(candidates, resolve_budget(options.memory), reserve);
  finish_trace(trace, options);
  const GenerationShape chosen = shapes[job.candidate];
  return {std::move(job), chosen};
}

}  // namespace headroom
