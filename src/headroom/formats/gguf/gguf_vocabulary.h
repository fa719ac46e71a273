// The vocabulary inside a GGUF file as the source of a tokenizer: byte-level BPE (tokenizer.ggml.model "gpt2") or
// SentencePiece with byte fallback ("llama"). The strings stay in the file and are read one by one.
#pragma once

#include <cstdint>
#include <string>

#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {

class GgufVocabulary final : public TokenizerSource {
 public:
  // What a piece is (tokenizer.ggml.token_type).
  enum class Kind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  // `file` must outlive this. Throws InvalidInput for another model, and for arrays that do not fit each other.
  explicit GgufVocabulary(const GgufFile& file);

  // Whether the file has one at all.
  static bool is_in(const GgufFile& file) { return file.text_or("tokenizer.ggml.model", "none") != "none"; }
  // The most memory that loading it, one TokenEncoder and one StreamDecoder together take at any time.
  int64_t memory_bound_bytes();

  // Of all that decides the ids: two files with the same fingerprint give the same.
  uint64_t fingerprint() const;

  const std::string& file() const override { return file_.path(); }
  TokenizerOutline outline() override;
  int64_t table_limit_bytes() const override;
  void read_pieces(const PieceSink& add) override;
  void read_merges(const MergeSink& add) override;
  RoleIds read_roles(const PieceTable& pieces) override;

 private:
  std::optional<int32_t> id_of(std::string_view key) const;
  std::optional<NamedToken> token_of(std::string_view key) const;

  const GgufFile& file_;
  bool scored_ = false;  // SentencePiece
  int64_t added_ = 0;    // pieces that are looked for in the text
};

// The tokenizer of the vocabulary in the GGUF file `path`. Throws InvalidInput for everything that is wrong with it.
std::unique_ptr<const TokenizerParts> load_gguf_tokenizer(const std::string& path);

}  // namespace headroom
