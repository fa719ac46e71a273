#include "headroom/formats/tokenizer/pretokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/formats/tokenizer/regex_splitter.h"
#include "headroom/formats/tokenizer/text_prefix.h"
#include "headroom/formats/tokenizer/text_replacer.h"
#include "headroom/formats/tokenizer/unicode_supplement.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

SplitBehavior behavior_of(const ComponentSpec& spec) {
  const auto behavior = split_behavior(spec.text("behavior"));
  if (!behavior) spec.refuse("the behavior " + spec.text("behavior") + " is not known");
  return *behavior;
}

void add_splitter(const std::string& pattern, const ComponentSpec& spec, PreTokenizer& words,
                  SplitBehavior behavior = SplitBehavior::isolated, bool invert = false) {
  words.stages.push_back(std::make_unique<RegexSplitter>(pattern, spec.where(), behavior, invert));
}

// The members of a class, and what the library counts to it besides.
std::string class_of(std::string_view members, std::string_view supplement) {
  return std::string(members) + std::string(*unicode_supplement(supplement));
}

void add_split(const ComponentSpec& spec, PreTokenizer& words) {
  const ComponentSpec::Pattern pattern = spec.pattern("pattern");
  if (pattern.text.empty()) spec.refuse("an empty pattern");
  add_splitter(pattern.is_regex ? pattern.text : quote_regex(pattern.text), spec, words, behavior_of(spec),
               spec.boolean("invert", false));
}

void add_digits(const ComponentSpec& spec, PreTokenizer& words) {
  const bool one_by_one = spec.boolean("individual_digits", false);
  add_splitter("[" + class_of("\\p{N}", "rust numeric") + (one_by_one ? "]" : "]+"), spec, words);
}

void add_punctuation(const ComponentSpec& spec, PreTokenizer& words) {
  const bool has_behavior = spec.json().contains("behavior");
  add_splitter("[" + class_of("", "rust punctuation") + "]", spec, words,
               has_behavior ? behavior_of(spec) : SplitBehavior::isolated);
}

void add_whitespace(const ComponentSpec& spec, PreTokenizer& words) {
  const std::string word = class_of(R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})", "rust word");
  add_splitter("[" + word + "]+|[^" + word + "\\s]+", spec, words, SplitBehavior::removed, true);
}

void add_whitespace_split(const ComponentSpec& spec, PreTokenizer& words) {
  add_splitter("\\s+", spec, words, SplitBehavior::removed);
}

// Spaces become a visible character, which words begin with.
void add_metaspace(const ComponentSpec& spec, PreTokenizer& words) {
  const MetaspaceOptions options = read_metaspace(spec);
  if (options.prepend_scheme == "first" && !words.stages.empty()) {
    spec.refuse("prepend_scheme first is supported in the first step only");
  }
  words.stages.push_back(replace_character(' ', options.replacement));
  if (options.prepend_scheme != "never") {
    words.stages.push_back(std::make_unique<TextPrefix>(options.replacement, options.prepend_scheme == "first"
                                                                                 ? TextPrefix::Where::first_if_missing
                                                                                 : TextPrefix::Where::where_missing));
  }
  if (spec.boolean("split", true)) {
    add_splitter(quote_regex(options.replacement), spec, words, SplitBehavior::merged_with_next);
  }
}

void add_byte_level(const ComponentSpec& spec, PreTokenizer& words) {
  if (spec.boolean("add_prefix_space", true)) {
    words.stages.push_back(std::make_unique<TextPrefix>(" ", TextPrefix::Where::where_missing));
  }
  if (spec.boolean("use_regex", true)) add_splitter(std::string(kGpt2Words), spec, words);
  words.to_byte_alphabet = true;
}

struct PretokenizerKind {
  std::string_view type;
  void (*add)(const ComponentSpec&, PreTokenizer&);
};

constexpr PretokenizerKind kPretokenizerKinds[] = {{"ByteLevel", add_byte_level},
                                                   {"Digits", add_digits},
                                                   {"Metaspace", add_metaspace},
                                                   {"Punctuation", add_punctuation},
                                                   {"Split", add_split},
                                                   {"Whitespace", add_whitespace},
                                                   {"WhitespaceSplit", add_whitespace_split}};

void add(const ComponentSpec& spec, PreTokenizer& words) {
  for (const PretokenizerKind& kind : kPretokenizerKinds) {
    if (kind.type == spec.type()) return kind.add(spec, words);
  }
  spec.refuse_type("ByteLevel, Digits, Metaspace, Punctuation, Split, Whitespace, WhitespaceSplit, Sequence");
}

}  // namespace

MetaspaceOptions read_metaspace(const ComponentSpec& spec) {
  MetaspaceOptions options;
  options.replacement = spec.text("replacement");
  if (options.replacement.empty() ||
      read_utf8(options.replacement).length != static_cast<int>(options.replacement.size())) {
    spec.refuse("the replacement must be one character");
  }
  if (spec.json().contains("prepend_scheme")) options.prepend_scheme = spec.text("prepend_scheme");
  constexpr std::string_view kSchemes[] = {"always", "first", "never"};
  if (std::find(std::begin(kSchemes), std::end(kSchemes), options.prepend_scheme) == std::end(kSchemes)) {
    spec.refuse("the prepend_scheme " + options.prepend_scheme + " is not known; known: always, first, never");
  }
  // Older files have this instead of a scheme.
  if (!spec.boolean("add_prefix_space", true)) {
    if (options.prepend_scheme != "never") spec.refuse("add_prefix_space is false, but prepend_scheme is not never");
  }
  return options;
}

PreTokenizer read_pretokenizer(const ComponentSpec& spec) {
  constexpr size_t kMaxStages = 16;
  PreTokenizer words;
  for (const ComponentSpec& part : spec.flatten("pretokenizers")) {
    if (words.to_byte_alphabet) part.refuse("nothing may follow ByteLevel");
    add(part, words);
    if (words.stages.size() > kMaxStages) part.refuse("more than 16 steps");
  }
  return words;
}

}  // namespace headroom
