// What the data pipeline asks of a tokenizer: text in fragments of any size in, token ids out, in bounded memory; and
// of the model's chat template: conversations as text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/formats/chat/chat_spans.h"

namespace headroom {

class TextEncoder {
 public:
  using Emit = std::function<void(std::span<const int32_t>)>;

  virtual ~TextEncoder() = default;

  // Which of the tokens that the tokenizer puts around a text come with it.
  enum class Frame : uint8_t { none, before, whole };

  // One text: begin, feed any number of times, end. `emit` must live until end() returns.
  virtual void begin(Frame frame, const Emit& emit) = 0;
  // UTF-8, whole characters. Ids come out as soon as they are certain.
  virtual void feed(std::string_view fragment) = 0;
  // The remaining ids come out. The ids of a text do not depend on how it was cut into fragments.
  virtual void end() = 0;

  // The text of a conversation, for Frame::none, in parts that count in the loss or do not. Throws InvalidInput where
  // there is no template, or it refuses.
  virtual ChatText conversation(const ChatExample& example) = 0;
  // Whether there is one.
  virtual bool has_chat_template() const = 0;

  // Whether a token is put before a text that is none of it.
  virtual bool has_token_before() const = 0;
  // Every id is below it.
  virtual int64_t vocabulary() const = 0;
  // The token that ends a document, if there is one; the pipeline adds it, the encoder does not.
  virtual std::optional<int32_t> end_of_text() const = 0;
  // Two encoders with the same fingerprint give the same ids, of conversations too.
  virtual uint64_t fingerprint() const = 0;
};

}  // namespace headroom
