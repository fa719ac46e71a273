// What a loaded tokenizer consists of; shared by Tokenizer, TokenEncoder and StreamDecoder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/added_tokens.h"
#include "headroom/formats/tokenizer/bpe_model.h"
#include "headroom/formats/tokenizer/piece_decoder.h"
#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

struct TokenizerParts {
  std::string path;
  std::string changes;  // of the outline
  BpeModel model;
  JoinedPairs joined;
  // What a text goes through before the model, in this order: added tokens that are looked for in the text as it is,
  // normalizer, added tokens that are looked for in normalized text, pre-tokenizer.
  std::vector<std::unique_ptr<TextComponent>> stages;
  PieceDecoder decoder;
  std::vector<int32_t> special_ids;  // sorted
  std::vector<int32_t> before;       // what the post-processor puts around a text
  std::vector<int32_t> after;
  // Added tokens that the normalizer changes: what stands for them in a text. By id.
  std::map<int32_t, std::string> normalized_tokens;
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> pad_id;

  // What the decoder makes text of; empty if the id is unused.
  std::string_view text_of(int32_t id) const {
    const auto found = normalized_tokens.find(id);
    return found == normalized_tokens.end() ? model.pieces[id] : std::string_view(found->second);
  }
};

// Throws InvalidInput naming the file for everything that is wrong with it or not supported.
std::unique_ptr<const TokenizerParts> load_tokenizer_json(const std::string& path);

}  // namespace headroom
