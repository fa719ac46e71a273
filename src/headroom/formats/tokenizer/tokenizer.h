// A tokenizer as a Hugging Face tokenizer.json describes it: text to ids and back, with the ids of the `tokenizers`
// library. BPE models, byte-level or with byte fallback; a file with any other component is refused by its name.
//
// A Tokenizer is constant and may be shared by threads; TokenEncoder (token_encoder.h) and StreamDecoder hold the state
// of one text. Text that is not UTF-8 is encoded byte by byte, so that byte-level tokenizers give back any input.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

struct TokenizerParts;

class Tokenizer {
 public:
  // `path` is a tokenizer.json, a directory that holds one, or a GGUF file. What stands beside a tokenizer.json is
  // heeded (tokenizer_settings.h). Throws InvalidInput naming the file.
  explicit Tokenizer(const std::string& path);
  // What build_tokenizer (tokenizer_source.h) made.
  explicit Tokenizer(std::unique_ptr<const TokenizerParts> parts);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // The file that Tokenizer(path) reads.
  static std::string file_of(const std::string& path);
  // The most memory that loading `path` as above, one TokenEncoder and one StreamDecoder together take at any time: a
  // function of what the file says of its tables, known after one pass over it that keeps nothing.
  static int64_t memory_bound_bytes(const std::string& path);

  // The largest id and one; there may be unused ids below.
  int32_t vocab_size() const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> pad_id() const;
  bool is_special(int32_t id) const;
  // As written in the file (byte-level pieces in their alphabet); empty if the id is unused.
  std::string_view piece(int32_t id) const;
  std::optional<int32_t> id_of(std::string_view piece) const;

  // Appends to `ids`. Makes an encoder for the occasion: for many texts keep a TokenEncoder.
  void encode(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids) const;
  // The bytes that the ids stand for, of byte-level pieces whether or not they are UTF-8. Unused and unknown ids stand
  // for nothing.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  const TokenizerParts& parts() const { return *parts_; }

 private:
  std::unique_ptr<const TokenizerParts> parts_;
};

}  // namespace headroom
