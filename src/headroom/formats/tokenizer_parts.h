// What a loaded tokenizer consists of; shared by Tokenizer, TokenEncoder and StreamDecoder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "headroom/formats/added_tokens.h"
#include "headroom/formats/bpe_model.h"
#include "headroom/formats/piece_decoder.h"
#include "headroom/formats/text_stage.h"

namespace headroom {

struct TokenizerParts {
  std::string path;
  BpeModel model;
  JoinedPairs joined;
  // What a text goes through before the model, in this order: added tokens that are looked for in the text as it is,
  // normalizer, added tokens that are looked for in normalized text, pre-tokenizer.
  std::vector<std::unique_ptr<TextComponent>> stages;
  std::vector<std::unique_ptr<DecodeStep>> decoder;
  std::vector<int32_t> special_ids;  // sorted
  std::vector<int32_t> before;       // what the post-processor puts around a text
  std::vector<int32_t> after;
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> pad_id;
};

// Throws InvalidInput naming the file for everything that is wrong with it or not supported.
std::unique_ptr<const TokenizerParts> load_tokenizer_json(const std::string& path);

}  // namespace headroom
