// A tokenizer as the data pipeline's encoder.
#pragma once

#include <string>

#include "headroom/formats/token_encoder.h"
#include "headroom/formats/tokenizer.h"
#include "headroom/train/text_encoder.h"

namespace headroom {

class TokenizerEncoder final : public TextEncoder {
 public:
  // Reads the tokenizer at `path` (a model directory or a tokenizer.json); its ids must be below `model_vocabulary`.
  // Throws as Tokenizer does, and InvalidInput when it has more ids than the model.
  TokenizerEncoder(const std::string& path, int64_t model_vocabulary);

  void feed(std::string_view fragment, const Emit& emit) override;
  void end_document(const Emit& emit) override;
  int64_t vocabulary() const override { return tokenizer_.vocab_size(); }
  std::optional<int32_t> end_of_text() const override { return tokenizer_.eos_id(); }
  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  Tokenizer tokenizer_;
  TokenEncoder encoder_;
  TokenSink sink_;  // the current document's, which the encoder keeps a pointer to
  uint64_t fingerprint_;
  bool in_document_ = false;
};

}  // namespace headroom
