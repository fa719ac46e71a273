#include "headroom/formats/tokenizer/piece_decoder.h"

#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "headroom/formats/tokenizer/byte_alphabet.h"
#include "headroom/formats/tokenizer/pretokenizer.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

// Letters of the byte alphabet become bytes; a piece with any other letter (an added token) stays as it is.
class ByteLevel : public DecodeStep {
 public:
  explicit ByteLevel(const ComponentSpec&) {}
  void apply(std::string& piece, DecodeState&) const override {
    size_t written = 0;
    for (const bool writing : {false, true}) {
      for (size_t at = 0; at < piece.size();) {
        const Utf8Char letter = read_utf8(std::string_view(piece).substr(at));
        const int byte = letter.state == Utf8State::valid ? byte_of_letter(letter.code) : -1;
        if (byte < 0) return;
        at += letter.length;
        if (writing) piece[written++] = static_cast<char>(byte);
      }
    }
    piece.resize(written);
  }
};

// <0x0A> becomes the byte 10.
class ByteFallback : public DecodeStep {
 public:
  explicit ByteFallback(const ComponentSpec&) {}
  void apply(std::string& piece, DecodeState&) const override {
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return;
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
    if (error == std::errc() && end == piece.data() + 5) piece.assign(1, static_cast<char>(byte));
  }
};

class Replace : public DecodeStep {
 public:
  explicit Replace(const ComponentSpec& spec) : to_(spec.text("content")) {
    const ComponentSpec::Pattern pattern = spec.pattern("pattern");
    if (pattern.is_regex || pattern.text.empty()) spec.refuse("only a pattern {\"String\": ...} is supported");
    from_ = pattern.text;
  }
  void apply(std::string& piece, DecodeState&) const override {
    for (size_t at = 0; (at = piece.find(from_, at)) != std::string::npos; at += to_.size()) {
      piece.replace(at, from_.size(), to_);
    }
  }

 private:
  std::string from_;
  std::string to_;
};

// The visible character becomes a space again, and nothing in the first piece, where it stands for no space.
class Metaspace : public DecodeStep {
 public:
  explicit Metaspace(const ComponentSpec& spec) : options_(read_metaspace(spec)) {}
  void apply(std::string& piece, DecodeState& state) const override {
    const std::string_view space = state.past_first || options_.prepend_scheme == "never" ? " " : "";
    state.past_first = true;
    for (size_t at = 0; (at = piece.find(options_.replacement, at)) != std::string::npos; at += space.size()) {
      piece.replace(at, options_.replacement.size(), space);
    }
  }

 private:
  MetaspaceOptions options_;
};

// Pieces are joined: what follows sees one text. Here they are joined anyhow.
class Fuse : public DecodeStep {
 public:
  explicit Fuse(const ComponentSpec&) {}
  void apply(std::string&, DecodeState&) const override {}
};

// Removes up to `start` times the character from the beginning of the whole text.
class Strip : public DecodeStep {
 public:
  explicit Strip(const ComponentSpec& spec) {
    const nlohmann::json& json = spec.json();
    const std::string content = spec.text("content");
    if (content.size() != 1) spec.refuse("only a content of one ASCII character is supported");
    content_ = content[0];
    if (!json.contains("start") || !json["start"].is_number_unsigned() || json["start"].get<uint64_t>() > 1000 ||
        !json.contains("stop") || json["stop"] != 0) {
      spec.refuse("start must be 0 to 1000 and stop 0");
    }
    start_ = json["start"].get<int>();
  }
  void apply(std::string& piece, DecodeState& state) const override {
    size_t count = 0;
    while (!state.text_began && state.stripped < start_ && count < piece.size() && piece[count] == content_) {
      ++state.stripped;
      ++count;
    }
    piece.erase(0, count);
    state.text_began = state.text_began || !piece.empty();
  }

 private:
  char content_;
  int start_;
};

struct DecoderKind {
  std::string_view type;
  std::unique_ptr<DecodeStep> (*make)(const ComponentSpec&);
};

template <class Step>
std::unique_ptr<DecodeStep> make(const ComponentSpec& spec) {
  return std::make_unique<Step>(spec);
}

constexpr DecoderKind kDecoderKinds[] = {
    {"ByteFallback", make<ByteFallback>}, {"ByteLevel", make<ByteLevel>}, {"Fuse", make<Fuse>},
    {"Metaspace", make<Metaspace>},       {"Replace", make<Replace>},     {"Strip", make<Strip>}};

constexpr std::string_view kKnown = "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip, Sequence";

std::unique_ptr<DecodeStep> make_step(const ComponentSpec& spec) {
  for (const DecoderKind& kind : kDecoderKinds) {
    if (kind.type == spec.type()) return kind.make(spec);
  }
  spec.refuse_type(kKnown);
}

}  // namespace

std::vector<std::unique_ptr<DecodeStep>> read_decoder(const ComponentSpec& spec) {
  std::vector<std::unique_ptr<DecodeStep>> steps;
  bool fused = false;
  bool metaspace_seen = false;
  for (const ComponentSpec& part : spec.flatten("decoders")) {
    const bool strips = part.type() == "Strip";
    if (strips != fused && (strips || part.type() != "Fuse"))
      part.refuse("Strip is supported after Fuse, nothing else is");
    if (part.type() == "Metaspace" && std::exchange(metaspace_seen, true)) part.refuse("more than one of them");
    fused = fused || part.type() == "Fuse";
    steps.push_back(make_step(part));
  }
  if (steps.empty()) spec.refuse("a decoder is needed; known: " + std::string(kKnown));
  return steps;
}

}  // namespace headroom
