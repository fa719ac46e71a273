// A text as it is written: token after token, until an end id, a stop string, the last token asked for, or a full
// context ends it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/generate/generation_job.h"
#include "headroom/generate/stop_strings.h"

namespace headroom {

// What a prompt was continued with.
struct Continuation {
  std::string text;
  int64_t read_tokens = 0;  // of the prompt; the cache held the others
  int64_t new_tokens = 0;
  double read_seconds = 0;
  double write_seconds = 0;
  std::string finish;  // as in GenerateResult
  int signal = 0;      // that stopped it; 0: none
};

class Answer {
 public:
  // All borrowed. Behind `prompt` the context has room for `room` tokens; a token of `end_ids` ends the text and is not
  // part of it. Text goes to settings.on_text as it becomes certain.
  Answer(const GenerationSettings& settings, const Tokenizer& tokenizer, std::span<const int32_t> end_ids,
         std::span<const int32_t> prompt, int64_t room);

  bool is_over() const { return is_over_ || new_tokens_ == most_; }
  // One token more of a text that is not over. Returns what it adds to the text, stop strings and all: good until the
  // next call.
  std::string_view add(int32_t id);
  // What was held back, of a text that ends here. Once.
  void close();

  const std::string& text() const { return text_; }
  int64_t new_tokens() const { return new_tokens_; }
  // Why it is over: end, stop, length or context.
  const char* finish() const { return finish_; }

 private:
  void emit(std::string_view text);
  void end(const char* why);

  const GenerationSettings& settings_;
  const Tokenizer& tokenizer_;
  std::span<const int32_t> end_ids_;
  int64_t most_;
  const char* finish_;
  StreamDecoder decoder_;
  StopStrings stops_;
  std::string fragment_;
  std::string text_;
  int64_t new_tokens_ = 0;
  bool is_over_ = false;
};

}  // namespace headroom
