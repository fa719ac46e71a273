#include "headroom/formats/tokenizer/normalizer.h"

#include <string>

#include "headroom/formats/tokenizer/normalization_form.h"
#include "headroom/formats/tokenizer/regex_splitter.h"
#include "headroom/formats/tokenizer/text_prefix.h"
#include "headroom/formats/tokenizer/text_replacer.h"
#include "headroom/formats/tokenizer/text_stripper.h"

namespace headroom {
namespace {

using Component = std::unique_ptr<TextComponent>;

Component make_prepend(const ComponentSpec& spec) {
  const std::string prefix = spec.text("prepend");
  if (prefix.empty()) spec.refuse("an empty text to prepend");
  return std::make_unique<TextPrefix>(prefix, TextPrefix::Where::everywhere);
}

Component make_replace(const ComponentSpec& spec) {
  const ComponentSpec::Pattern pattern = spec.pattern("pattern");
  const std::string content = spec.text("content");
  if (pattern.text.empty()) spec.refuse("an empty pattern");
  if (pattern.is_regex) return replace_pattern(pattern.text, content, spec.where());
  if (pattern.text.size() == 1) return replace_character(pattern.text[0], content);
  return replace_pattern(quote_regex(pattern.text), content, spec.where());
}

Component make_strip(const ComponentSpec& spec) {
  return strip_white_space(spec.boolean("strip_left", true), spec.boolean("strip_right", true));
}

template <bool composes, bool compatible>
Component make_form(const ComponentSpec&) {
  return std::make_unique<NormalizationForm>(composes, compatible);
}

struct NormalizerKind {
  std::string_view type;
  Component (*make)(const ComponentSpec&);
};

constexpr NormalizerKind kNormalizerKinds[] = {{"NFC", make_form<true, false>},
                                               {"NFD", make_form<false, false>},
                                               {"NFKC", make_form<true, true>},
                                               {"NFKD", make_form<false, true>},
                                               {"Prepend", make_prepend},
                                               {"Replace", make_replace},
                                               {"Strip", make_strip}};

Component make_normalizer(const ComponentSpec& spec) {
  for (const NormalizerKind& kind : kNormalizerKinds) {
    if (kind.type == spec.type()) return kind.make(spec);
  }
  spec.refuse_type("NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Sequence");
}

}  // namespace

std::vector<std::unique_ptr<TextComponent>> read_normalizer(const ComponentSpec& spec) {
  constexpr size_t kMaxStages = 8;
  std::vector<std::unique_ptr<TextComponent>> stages;
  for (const ComponentSpec& part : spec.flatten("normalizers")) {
    if (stages.size() == kMaxStages) part.refuse("more than 8 steps");
    stages.push_back(make_normalizer(part));
  }
  return stages;
}

}  // namespace headroom
