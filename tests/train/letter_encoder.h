// A tokenizer small enough to check by hand: each byte is its own id, but "th" is T and "|" is the end; fragments are
// remembered for the tests.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "headroom/data/text_encoder.h"

namespace headroom {

class LetterEncoder : public TextEncoder {
 public:
  static constexpr int32_t kEnd = 256;
  static constexpr int32_t kTh = 'T';

  void begin(Frame frame, const Emit& emit) override {
    frame_ = frame;
    emit_ = &emit;
    if (frame_ != Frame::none) put(before);
  }
  void feed(std::string_view fragment) override {
    longest_fragment = std::max(longest_fragment, fragment.size());
    // "th" is one token, so that borders may lie inside a token.
    for (const char letter : fragment) {
      if (letter == 'h' && t_waits_) {
        t_waits_ = false;
        put(std::string(1, static_cast<char>(kTh)));
        continue;
      }
      flush();
      if (letter == 't') {
        t_waits_ = true;
      } else {
        put(std::string(1, letter));
      }
    }
  }
  void end() override {
    flush();
    if (frame_ == Frame::whole) put(after);
    ++documents;
  }
  // The assistant's contents in brackets, of which what is inside counts; others as they are.
  ChatText conversation(const ChatExample& example) override {
    ChatText text;
    std::vector<ChatSegment>& segments = text.segments;
    for (const auto& message : example.messages) {
      const auto content = message["content"].get<std::string>();
      if (content == "refuse") throw InvalidInput("the template refuses");
      const bool counts = message["role"] == "assistant";
      if (counts) segments.push_back({"[", false});
      if (!content.empty()) segments.push_back({content, counts});
      if (counts) segments.push_back({"]", false});
    }
    return text;
  }
  bool has_chat_template() const override { return chats; }
  bool has_token_before() const override { return !before.empty(); }
  int64_t vocabulary() const override { return 257; }
  std::optional<int32_t> end_of_text() const override {
    if (has_end) return kEnd;
    return std::nullopt;
  }
  uint64_t fingerprint() const override { return version; }

  bool has_end = true;
  bool chats = true;
  uint64_t version = 1;
  size_t longest_fragment = 0;
  int64_t documents = 0;
  std::string before, after;  // what it puts around a text

 private:
  void flush() {
    if (std::exchange(t_waits_, false)) put("t");
  }
  void put(const std::string& letters) {
    for (const char letter : letters) {
      const int32_t id = letter == '|' ? kEnd : static_cast<uint8_t>(letter);
      (*emit_)({&id, 1});
    }
  }

  Frame frame_ = Frame::none;
  const Emit* emit_ = nullptr;
  bool t_waits_ = false;
};

// Of which all that the assistant says is learned.
inline ChatExample example_of(const std::string& messages) {
  ChatExample example;
  example.messages = nlohmann::ordered_json::parse(messages);
  for (const auto& message : example.messages) example.learned.push_back(message["role"] == "assistant");
  return example;
}

// Marked tokens as text again: "|" for the end, "^" in front of a beginning, "-" in front of what does not count, "_"
// for padding.
inline std::string letters(std::span<const int32_t> tokens) {
  std::string text;
  for (const int32_t token : tokens) {
    if (token == kPadding) {
      text += '_';
      continue;
    }
    if (marked_begins(token)) text += '^';
    if (!marked_counts(token)) text += '-';
    text += marked_id(token) == LetterEncoder::kEnd ? '|' : static_cast<char>(marked_id(token));
  }
  return text;
}

}  // namespace headroom
