// What stands beside a tokenizer.json and decides ids as much as it does, read as AutoTokenizer of transformers 4 reads
// tokenizer_config.json, special_tokens_map.json and config.json (docs/formats.md says where other loaders differ).
#pragma once

#include <optional>
#include <string>

namespace headroom {

struct TokenizerSettings {
  std::string file;  // the tokenizer_config.json, whether or not it is there
  // The texts of the tokens. Nothing: not mentioned; empty: null, which takes a default away, too.
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::optional<std::string> pad;

  // Of a loader that puts begin and end tokens around a text itself, whatever the post_processor says.
  struct Frame {
    std::string loader;  // "LlamaTokenizerFast"
    std::string default_bos;
    std::string default_eos;
    bool begins = false;
    bool ends = false;
    // The file says so, instead of the loader's default.
    bool says_begins = false;
    bool says_ends = false;
  };
  std::optional<Frame> frame;

  // The texts, or the loader's defaults for those not mentioned; empty: none.
  std::string bos_text() const { return bos ? *bos : frame ? frame->default_bos : ""; }
  std::string eos_text() const { return eos ? *eos : frame ? frame->default_eos : ""; }
};

// Of the files in the folder of `tokenizer_json`, each of which may be missing. Throws InvalidInput for what is no
// JSON.
TokenizerSettings read_tokenizer_settings(const std::string& tokenizer_json);

}  // namespace headroom
