#include "headroom/generate/prompt_batch.h"

namespace headroom {

PromptBatch::Text::Text(Prompt given, const PromptBatch& batch)
    : prompt(std::move(given)),
      answer(batch.settings_, batch.tokenizer_, batch.end_ids_, prompt.ids,
             batch.shape_.context - static_cast<int64_t>(prompt.ids.size())) {}

PromptBatch::PromptBatch(const GenerationSettings& settings, const GenerationShape& shape, const Model& model,
                         const Tokenizer& tokenizer, std::span<const int32_t> end_ids, Workspace& workspace)
    : settings_(settings),
      tokenizer_(tokenizer),
      end_ids_(end_ids),
      shape_(shape),
      steps_(workspace, model, shape_),
      picker_(settings, shape_, workspace) {
  for (int64_t sequence = shape.sequences; sequence-- > 0;) free_.push_back(sequence);
}

int PromptBatch::run(const Next& next, const Done& done, const InterruptGuard& interrupt) {
  while (interrupt.signal() == 0) {
    while (admit(next)) {
    }
    if (texts_.empty()) return 0;
    if (free_.size() < static_cast<size_t>(shape_.sequences)) step();
    while (!texts_.empty() && texts_.front().sequence < 0) {
      done(texts_.front().prompt, texts_.front().answer);
      texts_.pop_front();
    }
  }
  for (const Text& text : texts_) {
    if (text.sequence < 0) done(text.prompt, text.answer);
  }
  return interrupt.signal();
}

bool PromptBatch::admit(const Next& next) {
  if (free_.empty() || texts_.size() == static_cast<size_t>((1 + kHeldAnswers) * shape_.sequences)) return false;
  std::optional<Prompt> prompt = next();
  if (!prompt) return false;
  Text& text = texts_.emplace_back(std::move(*prompt), *this);
  if (text.answer.is_over()) return true;  // nothing was asked for
  text.sequence = free_.back();
  free_.pop_back();
  steps_.keep(0, text.sequence);
  text.unread = text.prompt.ids;
  return true;
}

// New tokens go before prompts, which take the rows that are left.
void PromptBatch::step() {
  std::vector<GenerationSteps::Part> parts;
  std::vector<Text*> texts;
  for (const bool writes : {true, false}) {
    for (Text& text : texts_) {
      if (text.sequence < 0 || (text.answer.new_tokens() > 0) != writes) continue;
      parts.push_back({text.sequence, text.unread});
      texts.push_back(&text);
    }
  }
  steps_.feed(parts);
  for (size_t p = 0; p < parts.size(); ++p) {
    Text& text = *texts[p];
    text.unread = parts[p].tokens;
    if (!text.unread.empty()) continue;
    text.token = picker_.pick(steps_, text.prompt.seed, text.sequence, p);
    text.answer.add(text.token);
    text.unread = {&text.token, 1};
    if (!text.answer.is_over()) continue;
    text.answer.close();
    free_.push_back(text.sequence);
    text.sequence = -1;
  }
}

}  // namespace headroom
