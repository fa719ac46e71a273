#include "headroom/formats/tokenizer/tokenizer_pipelines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/pretokenizer.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

using Json = nlohmann::json;

// Letters and what else counts as one, as DeepSeek-LLM's tokenizer.json lists them. Escapes, because editors normalize
// some of these characters (U+1F7D, U+2126, U+212A) into others.
constexpr std::string_view kDeepSeekLetters =
    R"(\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af})"
    R"(\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1})"
    R"(\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5})"
    R"(\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a})"
    R"(\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b})"
    R"(\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc})"
    R"(\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107})"
    R"(\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134})"
    R"(\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"
    R"(\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787})"
    R"(\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a})"
    R"(\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2})"
    R"(\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+)";
constexpr std::string_view kDeepSeekPunctuation =
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)";
// Called CJK there; it holds every script from U+0800 on.
constexpr std::string_view kDeepSeekCjk = R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)";
constexpr std::string_view kLlama3Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S))"
    R"(|\s+)";
constexpr std::string_view kQwen2Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeekV3Words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Pipeline {
  std::string_view name;
  std::array<std::string_view, 6> splits;  // one after the other; empty ones are none
  bool composes = false;                   // NFC first
  bool ignores_merges = false;
};

constexpr Pipeline kPipelines[] = {
    {"deepseek-llm", {R"([\r\n])", kDeepSeekLetters, kDeepSeekPunctuation, R"(\s+$)", kDeepSeekCjk, R"(\p{N})"}},
    {"deepseek-coder", {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepSeekCjk, R"(\p{N})"}},
    {"deepseek-v3", {R"(\p{N}{1,3})", R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)", kDeepSeekV3Words}},
    {"deepseek-r1-qwen", {kQwen2Words}, true},
    {"gpt-2", {kGpt2Words}},
    {"llama-bpe", {kLlama3Words}, false, true},
    {"qwen2", {kQwen2Words}, true},
};

Json replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

constexpr const char* kSpaceMark = "\xE2\x96\x81";  // U+2581

// Escaped characters as themselves, so that two spellings of one expression are equal: \x{HEX}, \r, \n, \t, \".
std::string without_escapes(std::string_view regex) {
  constexpr std::pair<char, char> kEscapes[] = {{'r', '\r'}, {'n', '\n'}, {'t', '\t'}, {'"', '"'}};
  std::string text;
  for (size_t at = 0; at < regex.size(); ++at) {
    if (regex[at] != '\\' || at + 1 == regex.size()) {
      text += regex[at];
      continue;
    }
    const char letter = regex[++at];
    const auto* const found = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                           [&](const auto& known) { return known.first == letter; });
    const size_t end = regex.substr(at).starts_with("x{") ? regex.find('}', at) : std::string_view::npos;
    uint32_t code = 0;
    if (found != std::end(kEscapes)) {
      text += found->second;
    } else if (end != std::string_view::npos &&
               std::from_chars(regex.data() + at + 2, regex.data() + end, code, 16).ec == std::errc()) {
      append_utf8(text, code);
      at = end;
    } else {
      text += {'\\', letter};
    }
  }
  return text;
}

// A component and those inside it, one after the other.
std::vector<Json> flatten(const Json& component, const char* inside) {
  if (component.is_null()) return {};
  if (component.value("type", "") != "Sequence") return {component};
  std::vector<Json> parts;
  for (const Json& part : component.at(inside)) {
    for (Json& flat : flatten(part, inside)) parts.push_back(std::move(flat));
  }
  return parts;
}

// The expressions that text is split by before its words become bytes; nothing for what is not of that form.
std::optional<std::vector<std::string>> splits_of(const Json& pre_tokenizer) {
  std::vector<std::string> splits;
  std::vector<Json> parts = flatten(pre_tokenizer, "pretokenizers");
  if (parts.empty() || parts.back().value("type", "") != "ByteLevel") return std::nullopt;
  if (parts.back().value("add_prefix_space", true)) return std::nullopt;
  const bool words = parts.back().value("use_regex", true);
  parts.pop_back();
  for (const Json& part : parts) {
    const std::string type = part.value("type", "");
    if (type == "Digits") {
      splits.emplace_back(part.value("individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    } else if (type == "Split" && part.value("behavior", "") == "Isolated" && part.at("pattern").contains("Regex")) {
      splits.push_back(without_escapes(part.at("pattern").at("Regex").get<std::string>()));
    } else {
      return std::nullopt;
    }
  }
  if (words) splits.push_back(without_escapes(kGpt2Words));
  return splits;
}

}  // namespace

std::string byte_level_pipelines() {
  std::string names;
  for (const Pipeline& pipeline : kPipelines) names += (names.empty() ? "" : ", ") + std::string(pipeline.name);
  return names;
}

std::optional<std::string_view> find_byte_level_pipeline(const TokenizerOutline& outline) {
  const std::optional<std::vector<std::string>> splits = splits_of(outline.pre_tokenizer);
  if (!splits || outline.byte_fallback) return std::nullopt;
  const std::vector<Json> normalizers = flatten(outline.normalizer, "normalizers");
  const bool composes = normalizers.size() == 1 && normalizers[0].value("type", "") == "NFC";
  if (!composes && !normalizers.empty()) return std::nullopt;
  for (const Pipeline& pipeline : kPipelines) {
    std::vector<std::string> wanted;
    for (const std::string_view split : pipeline.splits) {
      if (!split.empty()) wanted.push_back(without_escapes(split));
    }
    if (wanted == *splits && pipeline.composes == composes && pipeline.ignores_merges == outline.ignore_merges)
      return pipeline.name;
  }
  return std::nullopt;
}

std::optional<bool> find_sentencepiece_pipeline(const TokenizerOutline& outline) {
  if (!outline.byte_fallback || outline.ignore_merges || !outline.pre_tokenizer.is_null()) return std::nullopt;
  for (const bool leading_space : {true, false}) {
    TokenizerOutline wanted;
    set_sentencepiece_pipeline(leading_space, wanted);
    if (flatten(outline.normalizer, "normalizers") == flatten(wanted.normalizer, "normalizers")) return leading_space;
  }
  return std::nullopt;
}

void set_byte_level_pipeline(std::string_view name, std::string_view where, TokenizerOutline& outline) {
  const auto* const found = std::find_if(std::begin(kPipelines), std::end(kPipelines),
                                         [&](const Pipeline& pipeline) { return pipeline.name == name; });
  if (found == std::end(kPipelines)) {
    throw InvalidInput("{}: the pre-tokenizer \"{:.80}\" is not supported; known: {}", where, name,
                       byte_level_pipelines());
  }
  Json steps = Json::array();
  for (const std::string_view split : found->splits) {
    if (split.empty()) continue;
    steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  steps.push_back(bytes);
  outline.normalizer = found->composes ? Json{{"type", "NFC"}} : Json();
  outline.pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", steps}};
  outline.decoder = bytes;
  outline.byte_fallback = false;
  outline.ignore_merges = found->ignores_merges;
}

void set_sentencepiece_pipeline(bool leading_space, TokenizerOutline& outline) {
  Json normalizers = Json::array();
  if (leading_space) normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
  normalizers.push_back(replace(" ", kSpaceMark));
  Json decoders = Json::array({replace(kSpaceMark, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (leading_space) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1U}, {"stop", 0U}});
  outline.normalizer = {{"type", "Sequence"}, {"normalizers", normalizers}};
  outline.pre_tokenizer = nullptr;
  outline.decoder = {{"type", "Sequence"}, {"decoders", decoders}};
  outline.byte_fallback = true;
  outline.fuse_unknown = true;
}

void set_surrounding_tokens(const std::optional<NamedToken>& before, const std::optional<NamedToken>& after,
                            TokenizerOutline& outline) {
  Json single = Json::array();
  Json pair = Json::array();
  Json tokens = Json::object();
  const auto add = [&](const std::optional<NamedToken>& token) {
    if (!token) return;
    const Json part = {{"SpecialToken", {{"id", token->text}, {"type_id", 0}}}};
    single.push_back(part);
    pair.push_back(part);
    tokens[token->text] = {{"id", token->text}, {"ids", {static_cast<uint32_t>(token->id)}}, {"tokens", {token->text}}};
  };
  const auto text = [](const char* name) { return Json{{"Sequence", {{"id", name}, {"type_id", 0}}}}; };
  add(before);
  single.push_back(text("A"));
  pair.push_back(text("A"));
  pair.push_back(text("B"));
  add(after);
  outline.post_processor = {
      {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

}  // namespace headroom
