#include "headroom/generate/generator.h"

#include <algorithm>

#include "headroom/runtime/progress.h"

namespace headroom {

Generator::Generator(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
                     const Tokenizer& tokenizer, std::vector<int32_t> end_ids, Workspace& workspace)
    : settings_(settings),
      tokenizer_(tokenizer),
      shape_(shape),
      steps_(workspace, model, shape_),
      picker_(settings, shape_, workspace),
      end_ids_(std::move(end_ids)) {
  cached_.reserve(static_cast<size_t>(shape_.context));
}

Continuation Generator::run(std::span<const int32_t> prompt) {
  const InterruptGuard interrupt;
  std::optional<TokenLog> log;
  if (!settings_.logprobs.empty()) log.emplace(settings_.logprobs, prompt);
  Continuation result;
  const Progress clock("", true);
  read_prompt(prompt, interrupt, result);
  result.read_seconds = clock.elapsed_seconds();
  if (interrupt.signal() == 0) write_text(prompt, interrupt, log, result);
  result.write_seconds = clock.elapsed_seconds() - result.read_seconds;
  if (log) log->finish();
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
}

void Generator::write_text(std::span<const int32_t> prompt, const InterruptGuard& interrupt,
                           std::optional<TokenLog>& log, Continuation& result) {
  Answer answer(settings_, tokenizer_, end_ids_, prompt, shape_.context - steps_.tokens());
  while (!answer.is_over() && interrupt.signal() == 0) {
    const int32_t id = picker_.pick(steps_, settings_.sampler.seed);
    const float logprob = steps_.logits()[static_cast<size_t>(id)] - steps_.lse();
    const std::string_view fragment = answer.add(id);
    if (log) log->add(id, fragment, logprob);
    if (!answer.is_over()) feed({&id, 1});
  }
  answer.close();
  result.text = answer.text();
  result.new_tokens = answer.new_tokens();
  result.finish = answer.finish();
}

size_t Generator::feed(std::span<const int32_t> tokens) {
  const auto taken = static_cast<size_t>(steps_.feed(tokens));
  cached_.insert(cached_.end(), tokens.begin(), tokens.begin() + static_cast<int64_t>(taken));
  return taken;
}

}  // namespace headroom
