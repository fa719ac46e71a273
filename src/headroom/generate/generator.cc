#include "headroom/generate/generator.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/generate/generation_job.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

std::span<int32_t> vocabulary_order(const Workspace& workspace, const GenerationShape& shape) {
  if (!shape.orders_vocabulary) return {};
  const Tensor order = workspace.persistent("vocabulary_order");
  return {order.as<int32_t>(), static_cast<size_t>(order.elements())};
}

double rate(int64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

}  // namespace

Generator::Generator(const GenerateOptions& options, const Model& model, const Tokenizer& tokenizer,
                     std::vector<int32_t> prompt, std::vector<int32_t> end_ids, Workspace& workspace)
    : options_(options),
      model_(model),
      shape_(read_generation_shape(options, model)),
      workspace_(workspace),
      steps_(workspace, model, shape_),
      sampler_({options.temperature, options.top_k, options.top_p, options.seed}, vocabulary_order(workspace, shape_)),
      decoder_(tokenizer, true),
      stops_(options.stop),
      prompt_(std::move(prompt)),
      end_ids_(std::move(end_ids)) {
  if (!options.logprobs.empty()) log_ = std::make_unique<TokenLog>(options.logprobs, prompt_);
}

LoadStatistics Generator::load() {
  Progress progress("loading", options_.quiet);
  return load_weights(options_.model, model_, workspace_,
                      [&](int64_t done, int64_t total) { progress.show(done, total); });
}

GenerateResult Generator::run() {
  const InterruptGuard interrupt;
  GenerateResult result;
  result.prompt_tokens = static_cast<int64_t>(prompt_.size());
  const Progress clock("", true);
  read_prompt(interrupt);
  const double prompt_seconds = clock.elapsed_seconds();
  result.prefill_tokens_per_second = rate(steps_.tokens(), prompt_seconds);
  if (interrupt.signal() == 0) write_text(interrupt, result);
  result.seconds = clock.elapsed_seconds();
  // The prompt's last step gave the first token.
  if (result.new_tokens > 1) {
    result.decode_tokens_per_second = rate(result.new_tokens - 1, result.seconds - prompt_seconds);
  }
  if (log_) log_->finish();
  if (interrupt.signal() != 0) {
    result.finish = "interrupted";
    result.stopped_by_signal = interrupt.signal();
  }
  return result;
}

void Generator::read_prompt(const InterruptGuard& interrupt) {
  Progress progress("reading the prompt", options_.quiet);
  std::span<const int32_t> rest = prompt_;
  while (!rest.empty() && interrupt.signal() == 0) {
    rest = rest.subspan(static_cast<size_t>(steps_.feed(rest)));
    progress.show(steps_.tokens(), static_cast<int64_t>(prompt_.size()));
  }
  // The decoder knows what came before: a first piece may lose a space that a later one keeps.
  for (const int32_t id : prompt_) decoder_.push(id);
}

void Generator::write_text(const InterruptGuard& interrupt, GenerateResult& result) {
  const int64_t room = shape_.context - result.prompt_tokens;
  const int64_t most = std::min(options_.max_new_tokens, room);
  result.finish = most < options_.max_new_tokens ? "context" : "length";
  while (result.new_tokens < most && interrupt.signal() == 0) {
    const int32_t id = next_token();
    const float logprob = steps_.logits()[static_cast<size_t>(id)] - steps_.lse();
    ++result.new_tokens;
    const bool is_end = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
    const std::string_view text = is_end ? std::string_view() : decoder_.push(id);
    if (log_) log_->add(id, text, logprob);
    if (is_end) {
      result.finish = "end";
      break;
    }
    emit(stops_.push(text), result);
    if (stops_.stopped()) {
      result.finish = "stop";
      return;
    }
    if (result.new_tokens < most) steps_.feed({&id, 1});
  }
  emit(stops_.push(decoder_.finish()), result);
  emit(stops_.finish(), result);
}

int32_t Generator::next_token() {
  if (!std::isfinite(steps_.lse())) {
    throw InvalidInput("{}: the logits of token {} are no finite numbers; the weights are damaged", options_.model,
                       steps_.tokens());
  }
  return sampler_.pick(steps_.logits(), static_cast<uint64_t>(steps_.tokens()));
}

void Generator::emit(std::string_view text, GenerateResult& result) const {
  if (text.empty()) return;
  result.text += text;
  if (options_.on_text) options_.on_text(text);
}

}  // namespace headroom
