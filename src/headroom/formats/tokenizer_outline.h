// The first reading of a tokenizer.json: everything but the pieces and merges themselves, which are only counted, so
// that their tables can be made in the right size.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace headroom {

struct AddedTokenEntry {
  int32_t id = -1;
  std::string text;
  bool normalized = false;
  bool special = false;
};

struct TokenizerOutline {
  nlohmann::json normalizer;
  nlohmann::json pre_tokenizer;
  nlohmann::json post_processor;
  nlohmann::json decoder;

  std::string unknown_piece;  // empty: none
  bool fuse_unknown = false;
  bool byte_fallback = false;
  bool ignore_merges = false;

  int64_t pieces = 0;  // of model.vocab
  int64_t piece_bytes = 0;
  int64_t largest_id = -1;  // of model.vocab and added_tokens
  int64_t merges = 0;
  std::vector<AddedTokenEntry> added;
};

// Throws InvalidInput for what is not a BPE tokenizer.json, names the field, and refuses what is not supported.
TokenizerOutline read_tokenizer_outline(const std::string& path);

}  // namespace headroom
