#include "headroom/generate/generation_job.h"

#include <algorithm>
#include <cmath>

#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template.h"
#include "headroom/generate/prompt_batch.h"
#include "headroom/measure/op_profile.h"
#include "headroom/models/adapter.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/progress.h"

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
constexpr int64_t kMostParallel = 16;   // beyond, the cache outgrows what sharing saves
constexpr int64_t kLargestChunk = 512;  // beyond, products gain nothing
constexpr int64_t kSmallestChunk = 8;

void check_context(int64_t context, const Model& model) {
  const int64_t most = std::min(model.max_positions(), kMaxContext);
  if (context > most) {
    throw InvalidInput("--context {}: the model has {} positions; expected at most as many", context, most);
  }
}

// Of texts that are in memory: of each sequence, and of answers that wait for earlier ones.
int64_t held_tokens(const GenerationSettings& settings, const GenerationShape& shape) {
  if (settings.prompts == 0) return shape.sequences * shape.context;
  return (1 + kHeldAnswers) * shape.sequences * shape.context;
}

// From fastest to leanest: sequences that share the reading of weights are worth more than rows of a prompt.
std::vector<GenerationShape> shapes_to_try(const GenerationSettings& settings, const GenerationShape& largest) {
  std::vector<GenerationShape> shapes = {largest};
  const auto add = [&](int64_t sequences, int64_t chunk) {
    GenerationShape shape = largest;
    shape.sequences = sequences;
    shape.prefill_chunk = std::min(chunk, sequences * largest.context);
    shapes.push_back(shape);
  };
  const int64_t wide = std::min(largest.prefill_chunk, kLargestChunk / 4);
  if (!settings.parallel) {
    for (int64_t fewer = largest.sequences / 2; fewer > 0; fewer /= 2) {
      add(fewer, settings.prefill_chunk ? largest.prefill_chunk : wide);
    }
  }
  if (settings.prefill_chunk) return shapes;
  for (int64_t chunk = kLargestChunk / 4; chunk >= kSmallestChunk; chunk /= 4) {
    if (chunk < shapes.back().prefill_chunk) add(shapes.back().sequences, chunk);
  }
  return shapes;
}

// What of the context is the prompt is not known here, but where new tokens are few it is the rest.
double sweeps_of(const GenerationSettings& settings, const GenerationShape& shape) {
  const int64_t added = std::min(settings.most_new_tokens, shape.context / 2);
  return std::ceil(static_cast<double>(shape.context - added) / static_cast<double>(shape.prefill_chunk)) +
         static_cast<double>(added) / static_cast<double>(shape.sequences);
}

// The last of the graphs makes a new token.
Job job_of(std::vector<Graph> graphs) {
  const Row decode = {
      .graph = static_cast<int32_t>(graphs.size()) - 1,
      .fills = {"decode.tokens", "decode.positions", "decode.last_row", "decode.sequences", "decode.cache_range"},
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
  if (settings.context > 0 || (settings.chats && settings.prompts == 0)) return most;
  return std::min(most, add_sizes(prompt_tokens, settings.most_new_tokens, "--context"));
}

GenerationShape generation_shape(const GenerationSettings& settings, const Model& model) {
  const int64_t prompt = std::min(settings.prefill_chunk.value_or(kAssumedPrompt), model.max_positions() - 1);
  GenerationShape shape;
  shape.cache_kind = settings.cache_kind;
  shape.compute = parse_compute(settings.compute, model);
  shape.context = context_for(settings, model, settings.context > 0 || settings.chats ? 0 : prompt);
  shape.sequences = settings.parallel.value_or(std::clamp<int64_t>(settings.prompts, 1, kMostParallel));
  shape.prefill_chunk = std::min(settings.prefill_chunk.value_or(kLargestChunk),
                                 multiply_sizes(shape.sequences, shape.context, "--parallel"));
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
  reserve.buffer_bytes = kGenerationBufferBytes + kTokenBytes * held_tokens(settings, shape);
  reserve.text_bytes = settings.text_bytes;
  reserve.tokenizer_bytes = tokenizer_bytes;
  if (settings.chats) {  // the template and a render, the messages and a copy of them
    const int64_t text_bytes = settings.prompts > 0 ? kPromptTextBytes : conversation_bytes(shape.context);
    reserve.buffer_bytes += ChatTemplate::memory_bound_bytes(chat_template_bytes, text_bytes) + 2 * text_bytes;
  }
  const std::vector<GenerationShape> shapes = shapes_to_try(settings, shape);
  std::vector<Candidate> ways;
  for (const GenerationShape& one : shapes) {
    const std::string cache = one.cache_kind == CacheKind::f32 ? "" : fmt::format(" in {}", name_of(one.cache_kind));
    const std::string compute =
        one.compute == Compute::f32 ? "" : fmt::format(", products in {}", name_of(one.compute));
    const std::string many = one.sequences == 1 ? "" : fmt::format("{} sequences, ", one.sequences);
    ways.push_back(
        {fmt::format("{}context {}{}, prefill in chunks of {}{}", many, one.context, cache, one.prefill_chunk, compute),
         [&] { return job_of(build_generation_graphs(model, one, &trace)); }, 0, sweeps_of(settings, one)});
  }
  FittedJob job = fit_streamed(ways, source, budget, reserve, !settings.disk.empty());
  check_disk_limit(job.plan, settings.disk_limit);
  finish_trace(trace, settings.trace);
  const GenerationShape chosen = shapes[job.candidate];
  const MachineRates rates = known_rates(choose_backend(), settings.threads);
  const Forecast speed = forecast(job, job.plan, chosen, rates);
  job.forecast = describe(speed);
  return {std::move(job), chosen, speed};
}

LoadStatistics load_weights(const GenerationSettings& settings, const Model& model, Workspace& workspace) {
  Progress progress("loading", settings.quiet);
  const LoadStatistics weights =
      load_weights(settings.model, model, workspace, [&](int64_t done, int64_t total) { progress.show(done, total); });
  const LoadStatistics adapter = load_adapter(settings.adapter, model, workspace);
  return {weights.bytes + adapter.bytes, weights.seconds + adapter.seconds};
}

}  // namespace headroom
