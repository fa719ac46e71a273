// A model's tokenizer and chat template as the data pipeline's encoder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headroom/data/text_encoder.h"
#include "headroom/formats/chat/chat_template.h"
#include "headroom/formats/tokenizer/token_encoder.h"
#include "headroom/formats/tokenizer/tokenizer.h"

namespace headroom {

class TokenizerEncoder final : public TextEncoder {
 public:
  // Reads the tokenizer at `path` (a model directory or a tokenizer.json); its ids must be below `model_vocabulary`.
  // Throws as Tokenizer does, and InvalidInput when it has more ids than the model.
  TokenizerEncoder(const std::string& path, int64_t model_vocabulary);

  void begin(Frame frame, const Emit& emit) override;
  void feed(std::string_view fragment) override { encoder_.text(fragment); }
  void end() override;
  ChatText conversation(const ChatExample& example) override;
  bool has_chat_template() const override { return has_chat_template_; }
  bool has_token_before() const override;
  int64_t vocabulary() const override { return tokenizer_.vocab_size(); }
  std::optional<int32_t> end_of_text() const override { return tokenizer_.eos_id(); }
  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  std::string model_;
  std::optional<ChatTemplate> chat_template_;  // from the first conversation on
  Tokenizer tokenizer_;
  TokenEncoder encoder_;
  bool has_chat_template_;
  uint64_t fingerprint_;
  Frame frame_ = Frame::none;  // of the current text, and where its ids go
  const Emit* emit_ = nullptr;
};

// The most memory that examples in `files`, of that many tokens each, take at any time beside the tokenizer of `model`;
// 0 where no file can hold examples.
int64_t example_bound_bytes(const std::string& model, std::span<const std::string> files, int64_t max_example_tokens);

}  // namespace headroom
