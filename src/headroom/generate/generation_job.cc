#include "headroom/generate/generation_job.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template.h"
#include "headroom/models/adapter.h"

namespace headroom {
namespace {

// Fixed buffers of the run: pieces of text, the file of log-probabilities.
constexpr int64_t kGenerationBufferBytes = 256 * kKiB;
// For each token of the context: its id, and the text that the result holds.
constexpr int64_t kTokenBytes = 16;

constexpr int64_t kMaxContext = int64_t{1} << 30;
constexpr int64_t kChatContext = 4096;
constexpr int64_t kNewTokens = 128;
constexpr int64_t kAssumedPrompt = 128;
constexpr int64_t kLargestChunk = 512;  // beyond, products gain nothing
constexpr int64_t kSmallestChunk = 8;

void check_context(int64_t context, const Model& model) {
  const int64_t most = std::min(model.max_positions(), kMaxContext);
  if (context > most) {
    throw InvalidInput("--context {}: the model has {} positions; expected at most as many", context, most);
  }
}

// From fastest to leanest.
std::vector<GenerationShape> shapes_to_try(const GenerationSettings& settings, const GenerationShape& largest) {
  std::vector<GenerationShape> shapes = {largest};
  if (settings.prefill_chunk) return shapes;
  for (int64_t chunk = kLargestChunk / 4; chunk >= kSmallestChunk; chunk /= 4) {
    if (chunk >= largest.prefill_chunk) continue;
    shapes.push_back(largest);
    shapes.back().prefill_chunk = chunk;
  }
  return shapes;
}

// The last of the graphs makes a new token.
Job job_of(std::vector<Graph> graphs) {
  const Row decode = {.graph = static_cast<int32_t>(graphs.size()) - 1,
                      .fills = {"decode.tokens", "decode.positions", "decode.last_row", "sequences", "cache_range"},
                      .reads = {"decode.logits", "decode.lse"}};
  return {.graphs = std::move(graphs), .schedules = {{.name = "token", .given = {"rotary_table"}, .rows = {decode}}}};
}

}  // namespace

int64_t default_new_tokens(bool chats) { return chats ? kMaxContext : kNewTokens; }

int64_t conversation_bytes(int64_t context) { return std::min(64 * kKiB + 8 * context, kMiB); }

int64_t context_for(const GenerationSettings& settings, const Model& model, int64_t prompt_tokens) {
  if (!model.labels().empty()) {
    throw InvalidInput("{}: a {} gives texts a label and writes none; expected a language model; try headroom eval",
                       settings.model, model.architecture());
  }
  check_context(settings.context, model);
  const int64_t least = prompt_tokens + std::min<int64_t>(settings.most_new_tokens, 1);
  const int64_t largest = std::min(model.max_positions(), settings.chats ? kChatContext : kMaxContext);
  const int64_t most = settings.context > 0 ? settings.context : largest;
  if (least > most) {
    throw InvalidInput("the prompt has {} tokens and the {} {}, new tokens included; {}", format_count(prompt_tokens),
                       settings.context > 0 ? "--context" : "model's context", format_count(most),
                       settings.context > 0 ? "try a larger --context or a shorter prompt" : "try a shorter prompt");
  }
  if (settings.context > 0 || settings.chats) return most;
  return std::min(most, add_sizes(prompt_tokens, settings.most_new_tokens, "--context"));
}

GenerationShape generation_shape(const GenerationSettings& settings, const Model& model) {
  const int64_t prompt = std::min(settings.prefill_chunk.value_or(kAssumedPrompt), model.max_positions() - 1);
  GenerationShape shape;
  shape.cache_dtype = settings.cache_dtype;
  shape.compute = parse_compute(settings.compute, model);
  shape.context = context_for(settings, model, settings.context > 0 || settings.chats ? 0 : prompt);
  shape.prefill_chunk = std::min(settings.prefill_chunk.value_or(kLargestChunk), shape.context);
  shape.orders_vocabulary =
      settings.sampler.temperature > 0 && (settings.sampler.top_k > 0 || settings.sampler.top_p < 1);
  return shape;
}

FittedGeneration fit_generation(const GenerationSettings& settings, const Model& model, const Budget& budget,
                                int64_t tokenizer_bytes, int64_t chat_template_bytes, const StreamSource* source) {
  GenerationShape shape = generation_shape(settings, model);
  shape.adapter = open_adapter_to_run(settings.adapter, model);
  PassTrace trace = trace_passes(settings.trace);
  ReserveInputs reserve;
  reserve.threads = settings.threads;
  reserve.buffer_bytes = kGenerationBufferBytes + kTokenBytes * shape.context;
  reserve.text_bytes = settings.text_bytes;
  reserve.tokenizer_bytes = tokenizer_bytes;
  if (settings.chats) {  // the template and a render, the messages and a copy of them
    const int64_t text_bytes = conversation_bytes(shape.context);
    reserve.buffer_bytes += ChatTemplate::memory_bound_bytes(chat_template_bytes, text_bytes) + 2 * text_bytes;
  }
  const std::vector<GenerationShape> shapes = shapes_to_try(settings, shape);
  std::vector<Candidate> ways;
  for (const GenerationShape& one : shapes) {
    const std::string cache = one.cache_dtype == DType::f32 ? "" : fmt::format(" in {}", name_of(one.cache_dtype));
    const std::string compute =
        one.compute == Compute::f32 ? "" : fmt::format(", products in {}", name_of(one.compute));
    ways.push_back(
        {fmt::format("context {}{}, prefill in chunks of {}{}", one.context, cache, one.prefill_chunk, compute),
         [&] { return job_of(build_generation_graphs(model, one, &trace)); }});
  }
  FittedJob job = fit_streamed(ways, source, budget, reserve);
  finish_trace(trace, settings.trace);
  const GenerationShape chosen = shapes[job.candidate];
  return {std::move(job), chosen};
}

}  // namespace headroom
