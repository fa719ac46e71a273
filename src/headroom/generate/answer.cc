#include "headroom/generate/answer.h"

#include <algorithm>

namespace headroom {

Answer::Answer(const GenerationSettings& settings, const Tokenizer& tokenizer, std::span<const int32_t> end_ids,
               std::span<const int32_t> prompt, int64_t room)
    : settings_(settings),
      tokenizer_(tokenizer),
      end_ids_(end_ids),
      most_(std::min(settings.most_new_tokens, room)),
      finish_(most_ < settings.most_new_tokens ? "context" : "length"),
      decoder_(tokenizer, true),
      stops_(settings.stop) {
  // The decoder knows what came before: a first piece may lose a space that a later one keeps.
  for (const int32_t id : prompt) decoder_.push(id);
  decoder_.skip_held();
}

std::string_view Answer::add(int32_t id) {
  ++new_tokens_;
  const bool is_end = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
  fragment_ = is_end ? std::string_view() : decoder_.push(id);
  if (is_end || new_tokens_ == most_) fragment_ += decoder_.finish();
  emit(stops_.push(fragment_));
  if (tokenizer_.is_special(id)) {
    emit(stops_.push_hidden(tokenizer_.piece(id)));
  } else if (is_end) {
    emit(stops_.push_hidden(decoder_.push(id)));
  }
  if (stops_.stopped()) {
    end("stop");
  } else if (is_end) {
    end("end");
  }
  return fragment_;
}

void Answer::close() {
  if (stops_.stopped()) return;
  emit(stops_.push(decoder_.finish()));
  emit(stops_.finish());
}

void Answer::emit(std::string_view text) {
  if (text.empty()) return;
  text_ += text;
  if (settings_.on_text) settings_.on_text(text);
}

void Answer::end(const char* why) {
  finish_ = why;
  is_over_ = true;
}

}  // namespace headroom
