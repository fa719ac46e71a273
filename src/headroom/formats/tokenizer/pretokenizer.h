// The pre_tokenizer of a tokenizer.json: how a text is cut into words. A new kind is a function and a row of the table
// in pretokenizer.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/component_spec.h"
#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

// GPT-2's words: contractions, letters, digits and other symbols with at most one space before, stretches of space.
inline constexpr std::string_view kGpt2Words =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct PreTokenizer {
  std::vector<std::unique_ptr<TextComponent>> stages;
  // Words are written in the byte alphabet from here on, so nothing may follow.
  bool to_byte_alphabet = false;
};

PreTokenizer read_pretokenizer(const ComponentSpec& spec);

// Metaspace is a pre-tokenizer and a decoder.
struct MetaspaceOptions {
  std::string replacement;                // of a space; one character
  std::string prepend_scheme = "always";  // always, first or never
};
MetaspaceOptions read_metaspace(const ComponentSpec& spec);

}  // namespace headroom
