#include "headroom/api/job_settings.h"

#include <array>
#include <charconv>
#include <cmath>

#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/base/threads.h"
#include "headroom/runtime/budget.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

constexpr int64_t kMostSteps = int64_t{1} << 40;
constexpr int64_t kMostStops = 1024;
constexpr int64_t kMostStopBytes = 64 * kKiB;
constexpr int kStopCopies = 4;    // beside the options': settings, and of two answers what is looked for
constexpr int kPromptCopies = 3;  // the options of the run, the message, what the template makes of it

void expect_flag(bool holds, const char* flag, double got, const std::string& expected) {
  if (!holds) throw InvalidInput("{} {}: expected {}", flag, got, expected);
}

bool is_amount(double number) { return number >= 0 && std::isfinite(number); }

// Every new token is held against each of them, and the end of the text held back for the longest.
void check_stops(const std::vector<std::string>& stops) {
  if (static_cast<int64_t>(stops.size()) > kMostStops) {
    throw InvalidInput("--stop: {} texts; expected at most {}", format_count(static_cast<int64_t>(stops.size())),
                       format_count(kMostStops));
  }
  int64_t bytes = 0;
  for (const std::string& stop : stops) bytes += static_cast<int64_t>(stop.size());
  if (bytes > kMostStopBytes) {
    throw InvalidInput("--stop: the texts have {} bytes; expected at most {} altogether", format_count(bytes),
                       format_count(kMostStopBytes));
  }
}

LrSettings learning_rates(const TrainOptions& options) {
  expect_flag(is_amount(options.lr), "--lr", options.lr, "0 or more");
  expect_count("--warmup-steps", options.warmup_steps, 0);
  expect_count("--steps", options.steps, 0);
  if (options.steps > kMostSteps) throw InvalidInput("--steps {}: expected at most {}", options.steps, kMostSteps);
  return {parse_lr_schedule(options.lr_schedule), options.lr, options.warmup_steps, options.steps};
}

UpdateSettings updates(const TrainOptions& options) {
  expect_flag(options.beta1 >= 0 && options.beta1 < 1, "--beta1", options.beta1, "0 <= beta1 < 1");
  expect_flag(options.beta2 >= 0 && options.beta2 < 1, "--beta2", options.beta2, "0 <= beta2 < 1");
  expect_flag(is_amount(options.eps), "--eps", options.eps, "0 or more");
  expect_flag(is_amount(options.weight_decay), "--weight-decay", options.weight_decay, "0 or more");
  expect_flag(is_amount(options.grad_clip), "--grad-clip", options.grad_clip, "0 (off) or more");
  UpdateSettings updates;
  updates.beta1 = options.beta1;
  updates.beta2 = options.beta2;
  updates.eps = options.eps;
  updates.weight_decay = options.weight_decay;
  updates.grad_clip = options.grad_clip;
  return updates;
}

// What values may leave to, if the backend has the lane there.
void check_host_memory(const RunOptions& options) {
  const Backend& backend = choose_backend();
  if (options.host_memory.empty() || backend.has(Lane::link)) return;
  throw InvalidInput(
      "--host-memory {}: it is for what does not fit in the memory of a device of its own, and {} computes in the "
      "host's; expected without it: --memory is for all there is, and --disk for what does not fit",
      options.host_memory, backend.name());
}

SaveEvery parse_save_every(const std::string& text) {
  SaveEvery every{.text = text};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const bool is_number = error == std::errc() && is_amount(number) && number <= static_cast<double>(kMostSteps);
  if (is_number && unit.empty() && number == std::floor(number)) {
    every.steps = static_cast<int64_t>(number);
    return every;
  }
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
      {{"s", 1.0}, {"m", 60.0}, {"min", 60.0}, {"h", 3600.0}}};
  for (const auto& [name, seconds] : kUnits) {
    if (is_number && unit == name) {
      every.seconds = number * seconds;
      return every;
    }
  }
  throw InvalidInput("--save-every {}: expected a number of steps (500), a time (90s, 30m, 2h), or 0: at the end",
                     text);
}

// Without those that nobody gave: they have their defaults.
FlagValues given_flags(const TrainOptions& options) {
  std::map<std::string, std::string> given = options.techniques;
  for (const std::string& flag : options.unset) {
    const auto found = given.find(flag);
    if (found != given.end() && found->second == find_flag(flag)->standard) given.erase(found);
  }
  return FlagValues(given);
}

}  // namespace

TraceSettings trace_settings(const RunOptions& options) {
  return {options.dump_passes, options.disable_passes, options.verbose};
}

GenerationSettings generation_settings(const GenerateOptions& options) {
  expect_count("--prefill-chunk", options.prefill_chunk.value_or(1), 1);
  expect_count("--parallel", options.parallel.value_or(1), 1);
  expect_count("--top-k", options.top_k, 0);
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    throw InvalidInput("--temperature {}: expected 0 (greedy) or more", options.temperature);
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw InvalidInput("--top-p {}: expected more than 0 and at most 1", options.top_p);
  }
  check_host_memory(options);
  if (!options.disk_limit.empty() && options.disk.empty()) {
    throw InvalidInput("--disk-limit {}: expected with --disk DIR", options.disk_limit);
  }
  GenerationSettings settings;
  settings.cache_kind = parse_cache_kind(options.kv_cache_dtype, "--kv-cache-dtype");
  settings.most_new_tokens = options.max_new_tokens.value_or(default_new_tokens(options.chat));
  expect_count("--max-new-tokens", settings.most_new_tokens, 0);
  expect_count("--context", options.context, 0);
  settings.model = options.model;
  settings.adapter = options.adapter;
  settings.compute = options.compute;
  settings.chats = options.chat;
  settings.context = options.context;
  settings.prefill_chunk = options.prefill_chunk;
  settings.parallel = options.parallel;
  settings.sampler = {options.temperature, options.top_k, options.top_p, options.seed};
  check_stops(options.stop);
  settings.stop = options.stop;
  settings.text_bytes = named_text_bytes(options.stop, kStopCopies) +
                        named_text_bytes(std::array{options.prompt, options.system}, kPromptCopies) +
                        named_text_bytes(options.disable_passes, 1) + config_bytes(options.model);
  settings.logprobs = options.logprobs;
  settings.disk = options.disk;
  settings.disk_limit = options.disk_limit;
  settings.on_text = options.on_text;
  settings.threads = threads_to_use(options.threads);
  settings.quiet = options.quiet;
  settings.trace = trace_settings(options);
  return settings;
}

TrainingRequest training_request(const TrainOptions& options) {
  check_host_memory(options);
  TrainingRequest request;
  request.model = options.model;
  request.flags = given_flags(options);
  request.disk = options.disk;
  request.disk_limit = options.disk_limit;
  request.threads = threads_to_use(options.threads);
  request.data = options.data;
  request.tokens = options.tokens;
  request.eval_data = options.eval_data;
  request.labels = options.labels;
  request.isolate_documents = options.isolate_documents;
  request.output = options.output;
  request.batch_size = options.batch_size;
  request.seq_len = options.seq_len;
  request.lr = learning_rates(options);
  request.asked_steps = options.steps;
  request.updates = updates(options);
  request.seed = options.seed;
  request.save_every = parse_save_every(options.save_every);
  request.keep_checkpoints = options.keep_checkpoints;
  request.eval_every = options.eval_every;
  request.profiles = !options.profile.empty();
  request.ignore_unknown_fields = options.ignore_unknown_fields;
  request.quiet = options.quiet;
  request.trace = trace_settings(options);
  return request;
}

}  // namespace headroom
