// What stands beside a tokenizer.json and decides ids as much as it does, read as AutoTokenizer of transformers 4 reads
// tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json (docs/formats.md says where other
// loaders differ).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "headroom/formats/tokenizer/tokenizer_outline.h"

namespace headroom {

// A token with a role: bos, eos, pad ...
struct TokenRole {
  bool is_named = false;  // by a file; with an empty text: null, there is none
  std::string text;       // where it is not named, the loader's default, which counts if the vocabulary has it
  AddedTokenEntry flags;  // what is swallowed around it, where a file says so
  bool has_flags = false;
};

struct TokenizerSettings {
  std::string file;    // the tokenizer_config.json, whether or not it is there
  std::string loader;  // the class; empty: none is known

  TokenRole bos;
  TokenRole eos;
  TokenRole pad;
  // The three and all other tokens that files name as special, in the order in which they would be added.
  std::vector<TokenRole> special;

  // Tokens to be looked for in texts, by id: those of added_tokens_decoder, which also says anew how those are found
  // that the tokenizer.json has, or without it those of added_tokens.json, which does not.
  std::vector<AddedTokenEntry> listed;
  bool listed_anew = false;

  // Of a loader that puts begin and end tokens around a text itself, whatever the post_processor says.
  struct Frame {
    bool begins = false;
    bool ends = false;
    // A file says so, instead of the loader's default.
    bool says_begins = false;
    bool says_ends = false;
  };
  std::optional<Frame> frame;
};

// Of the files in the folder of `tokenizer_json`, each of which may be missing. Throws InvalidInput for what is no
// JSON, and for ids that are none.
TokenizerSettings read_tokenizer_settings(const std::string& tokenizer_json);

}  // namespace headroom
