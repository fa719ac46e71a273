#include "headroom/formats/tokenizer/tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/token_encoder.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"

namespace headroom {

Tokenizer::Tokenizer(const std::string& path)
    : parts_(GgufFile::is_gguf(path) ? load_gguf_tokenizer(path) : load_tokenizer_json(file_of(path))) {}
Tokenizer::Tokenizer(std::unique_ptr<const TokenizerParts> parts) : parts_(std::move(parts)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::string Tokenizer::file_of(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path file(path);
  return std::filesystem::is_directory(file, ignored) ? (file / "tokenizer.json").string() : path;
}

int32_t Tokenizer::vocab_size() const { return parts_->model.pieces.size(); }
std::optional<int32_t> Tokenizer::bos_id() const { return parts_->bos_id; }
std::optional<int32_t> Tokenizer::eos_id() const { return parts_->eos_id; }
std::optional<int32_t> Tokenizer::pad_id() const { return parts_->pad_id; }

bool Tokenizer::is_special(int32_t id) const {
  return std::binary_search(parts_->special_ids.begin(), parts_->special_ids.end(), id);
}

std::string_view Tokenizer::piece(int32_t id) const { return parts_->model.pieces[id]; }

std::optional<int32_t> Tokenizer::id_of(std::string_view piece) const {
  const int32_t id = parts_->model.pieces.find(piece);
  return id < 0 ? std::nullopt : std::optional(id);
}

void Tokenizer::encode(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids) const {
  TokenEncoder encoder(*this);
  const TokenSink append = [&](std::span<const int32_t> more) { ids.insert(ids.end(), more.begin(), more.end()); };
  encoder.begin(add_special_tokens, append);
  encoder.text(text);
  encoder.finish();
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  TextDecoding decoding(parts_->decoder);
  std::string text;
  std::string piece;
  for (const int32_t id : ids) {
    if (skip_special_tokens && is_special(id)) continue;
    if (!parts_->model.pieces.contains(id)) continue;
    piece = parts_->text_of(id);
    decoding.push(piece, text);
  }
  decoding.finish(text);
  return text;
}

}  // namespace headroom
