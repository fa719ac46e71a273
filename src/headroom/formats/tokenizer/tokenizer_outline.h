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
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
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

  int64_t pieces = 0;       // of the model's vocabulary
  int64_t piece_bytes = 0;  // of these and of added tokens
  int64_t largest_id = -1;  // of both
  int64_t merges = 0;
  // Instead of merges, as SentencePiece has it: two neighbours that together are a piece may merge, the highest score
  // of the result first. By id; infinite where no merge may make the piece (added tokens,
  // bytes). Empty: there are merges.
  std::vector<float> scores;
  // An added token may be a piece as well. Its id must be the piece's, or the next one free.
  std::vector<AddedTokenEntry> added;

  // What files beside the tokenizer.json change of all this (tokenizer_settings.h), in words; empty: nothing.
  std::string changes;
};

// Throws InvalidInput for what is not a BPE tokenizer.json, names the field, and refuses what is not supported.
TokenizerOutline read_tokenizer_outline(const std::string& path);

}  // namespace headroom
