// A tokenizer as the vocabulary of a GGUF file, the way llama.cpp's converter writes it: pieces by id with what each
// is, merges or scores, the name of the pre-tokenizer, and the ids with a role.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "headroom/formats/gguf/gguf_writer.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {

class GgufVocabularyWriter {
 public:
  // Reads all of `source` but the merges. `rows` is the model's vocabulary: ids without a piece up to it become
  // unused ones. Throws InvalidInput for a tokenizer that a GGUF file cannot name, or with more ids than `rows`.
  GgufVocabularyWriter(TokenizerSource& source, int64_t rows);
  ~GgufVocabularyWriter();

  // The token that ends a text, if there is one.
  std::optional<int32_t> end_id() const { return end_id_; }

  // What this holds beside a tokenizer of the same source (tokenizer_bound_bytes).
  int64_t heap_bytes() const;

  // Appends the keys tokenizer.ggml.*, but for further ends (gguf_end_tokens.h).
  void write(GgufWriter& writer) const;

 private:
  int32_t kind_of(int32_t id) const;
  void score_merges();

  TokenizerSource& source_;
  int32_t rows_;
  TokenizerOutline outline_;
  std::unique_ptr<const TokenizerParts> parts_;
  std::vector<int32_t> added_;  // ids of added tokens, sorted
  std::string pre_;             // empty: SentencePiece
  bool leading_space_ = false;
  std::optional<int32_t> begin_id_;
  std::optional<int32_t> end_id_;
  std::vector<float> scores_;  // of SentencePiece
};

}  // namespace headroom
