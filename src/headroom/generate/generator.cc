#include "headroom/generate/generator.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/generate/generation_job.h"
#include "headroom/models/adapter.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

std::span<int32_t> vocabulary_order(const Workspace& workspace, const GenerationShape& shape) {
  if (!shape.orders_vocabulary) return {};
  return workspace.view<int32_t>("vocabulary_order").all();
}

}  // namespace

Generator::Generator(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
                     const Tokenizer& tokenizer, std::vector<int32_t> end_ids, Workspace& workspace)
    : settings_(settings),
      model_(model),
      tokenizer_(tokenizer),
      shape_(shape),
      workspace_(workspace),
      steps_(workspace, model, shape_),
      sampler_(settings.sampler, vocabulary_order(workspace, shape_)),
      end_ids_(std::move(end_ids)),
      stops_(std::make_unique<StopStrings>(settings.stop)) {
  cached_.reserve(static_cast<size_t>(shape_.context));
}

LoadStatistics Generator::load() {
  Progress progress("loading", settings_.quiet);
  const LoadStatistics use = load_weights(settings_.model, model_, workspace_,
                                          [&](int64_t done, int64_t total) { progress.show(done, total); });
  const LoadStatistics adapter = load_adapter(settings_.adapter, model_, workspace_);
  return {use.bytes + adapter.bytes, use.seconds + adapter.seconds};
}

Continuation Generator::run(std::span<const int32_t> prompt) {
  const InterruptGuard interrupt;
  decoder_ = std::make_unique<StreamDecoder>(tokenizer_, true);
  stops_ = std::make_unique<StopStrings>(settings_.stop);
  if (!settings_.logprobs.empty()) log_ = std::make_unique<TokenLog>(settings_.logprobs, prompt);
  Continuation result;
  const Progress clock("", true);
  read_prompt(prompt, interrupt, result);
  result.read_seconds = clock.elapsed_seconds();
  if (interrupt.signal() == 0) write_text(interrupt, result);
  result.write_seconds = clock.elapsed_seconds() - result.read_seconds;
  if (log_) log_->finish();
  if (interrupt.signal() != 0) {
    result.finish = "interrupted";
    result.signal = interrupt.signal();
  }
  return result;
}

// The last token of the prompt is read in any case: its logits give the first new one.
void Generator::read_prompt(std::span<const int32_t> prompt, const InterruptGuard& interrupt, Continuation& result) {
  Progress progress("reading the prompt", settings_.quiet);
  const auto end = prompt.end() - 1;
  const auto held = std::mismatch(prompt.begin(), end, cached_.begin(), cached_.end()).first - prompt.begin();
  steps_.keep(held);
  cached_.resize(static_cast<size_t>(held));
  std::span<const int32_t> rest = prompt.subspan(static_cast<size_t>(held));
  while (!rest.empty() && interrupt.signal() == 0) {
    const size_t count = feed(rest);
    rest = rest.subspan(count);
    result.read_tokens += static_cast<int64_t>(count);
    progress.show(steps_.tokens(), static_cast<int64_t>(prompt.size()));
  }
  // The decoder knows what came before: a first piece may lose a space that a later one keeps.
  for (const int32_t id : prompt) decoder_->push(id);
  decoder_->skip_held();
}

void Generator::write_text(const InterruptGuard& interrupt, Continuation& result) {
  const int64_t room = shape_.context - steps_.tokens();
  const int64_t wanted = settings_.most_new_tokens;
  const int64_t most = std::min(wanted, room);
  result.finish = most < wanted ? "context" : "length";
  while (result.new_tokens < most && interrupt.signal() == 0) {
    const int32_t id = next_token();
    const float logprob = steps_.logits()[static_cast<size_t>(id)] - steps_.lse();
    ++result.new_tokens;
    const bool is_end = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
    std::string text(is_end ? std::string_view() : decoder_->push(id));
    if (is_end || result.new_tokens == most) text += decoder_->finish();
    if (log_) log_->add(id, text, logprob);
    emit(stops_->push(text), result);
    if (tokenizer_.is_special(id)) {
      emit(stops_->push_hidden(tokenizer_.piece(id)), result);
    } else if (is_end) {
      emit(stops_->push_hidden(decoder_->push(id)), result);
    }
    if (stops_->stopped()) {
      result.finish = "stop";
      return;
    }
    if (is_end) {
      result.finish = "end";
      break;
    }
    if (result.new_tokens < most) feed({&id, 1});
  }
  emit(stops_->push(decoder_->finish()), result);
  emit(stops_->finish(), result);
}

size_t Generator::feed(std::span<const int32_t> tokens) {
  const auto taken = static_cast<size_t>(steps_.feed(tokens));
  cached_.insert(cached_.end(), tokens.begin(), tokens.begin() + static_cast<int64_t>(taken));
  return taken;
}

int32_t Generator::next_token() {
  if (!std::isfinite(steps_.lse())) {
    throw InvalidInput("{}: the logits of token {} are no finite numbers; the weights are damaged", settings_.model,
                       steps_.tokens());
  }
  return sampler_.pick(steps_.logits(), static_cast<uint64_t>(steps_.tokens()));
}

void Generator::emit(std::string_view text, Continuation& result) const {
  if (text.empty()) return;
  result.text += text;
  if (settings_.on_text) settings_.on_text(text);
}

}  // namespace headroom
