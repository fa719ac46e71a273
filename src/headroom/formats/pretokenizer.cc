#include "headroom/formats/pretokenizer.h"

#include "headroom/formats/regex_splitter.h"

namespace headroom {
namespace {

void add_split(const ComponentSpec& spec, PreTokenizer& words) {
  const ComponentSpec::Pattern pattern = spec.pattern("pattern");
  if (pattern.text.empty()) spec.refuse("an empty pattern");
  const auto behavior = split_behavior(spec.text("behavior"));
  if (!behavior) spec.refuse("the behavior " + spec.text("behavior") + " is not known");
  words.stages.push_back(std::make_unique<RegexSplitter>(pattern.is_regex ? pattern.text : quote_regex(pattern.text),
                                                         spec.where(), *behavior, spec.boolean("invert", false)));
}

void add_digits(const ComponentSpec& spec, PreTokenizer& words) {
  const bool one_by_one = spec.boolean("individual_digits", false);
  words.stages.push_back(std::make_unique<RegexSplitter>(one_by_one ? R"(\p{N})" : R"(\p{N}+)", spec.where()));
}

void add_byte_level(const ComponentSpec& spec, PreTokenizer& words) {
  if (spec.boolean("add_prefix_space", true)) spec.refuse("add_prefix_space is not supported");
  if (spec.boolean("use_regex", true)) {
    words.stages.push_back(std::make_unique<RegexSplitter>(std::string(kGpt2Words), spec.where()));
  }
  words.to_byte_alphabet = true;
}

struct Kind {
  std::string_view type;
  void (*add)(const ComponentSpec&, PreTokenizer&);
};

constexpr Kind kKinds[] = {{"ByteLevel", add_byte_level}, {"Digits", add_digits}, {"Split", add_split}};

void add(const ComponentSpec& spec, PreTokenizer& words) {
  for (const Kind& kind : kKinds) {
    if (kind.type == spec.type()) return kind.add(spec, words);
  }
  spec.refuse_type("ByteLevel, Digits, Split, Sequence");
}

}  // namespace

PreTokenizer read_pretokenizer(const ComponentSpec& spec) {
  constexpr size_t kMaxStages = 16;
  PreTokenizer words;
  for (const ComponentSpec& part : spec.flatten("pretokenizers")) {
    if (words.to_byte_alphabet) part.refuse("nothing may follow ByteLevel");
    if (words.stages.size() == kMaxStages) part.refuse("more than 16 steps");
    add(part, words);
  }
  return words;
}

}  // namespace headroom
