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

// Of a piece such as <0x0A> the byte; -1 for any other.
int byte_of_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return -1;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return error == std::errc() && end == piece.data() + 5 ? static_cast<int>(byte) : -1;
}

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

constexpr DecoderKind kDecoderKinds[] = {{"ByteLevel", make<ByteLevel>},
                                         {"Fuse", make<Fuse>},
                                         {"Metaspace", make<Metaspace>},
                                         {"Replace", make<Replace>},
                                         {"Strip", make<Strip>}};

constexpr std::string_view kKnown = "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip, Sequence";

std::unique_ptr<DecodeStep> make_step(const ComponentSpec& spec) {
  for (const DecoderKind& kind : kDecoderKinds) {
    if (kind.type == spec.type()) return kind.make(spec);
  }
  spec.refuse_type(kKnown);
}

}  // namespace

PieceDecoder read_decoder(const ComponentSpec& spec) {
  PieceDecoder decoder;
  bool fused = false;
  bool metaspace_seen = false;
  bool is_empty = true;
  for (const ComponentSpec& part : spec.flatten("decoders")) {
    const bool strips = part.type() == "Strip";
    if (strips != fused && (strips || part.type() != "Fuse"))
      part.refuse("Strip is supported after Fuse, nothing else is");
    if (part.type() == "Metaspace" && std::exchange(metaspace_seen, true)) part.refuse("more than one of them");
    fused = fused || part.type() == "Fuse";
    is_empty = false;
    if (part.type() != "ByteFallback") {
      (decoder.gathers_bytes ? decoder.after : decoder.before).push_back(make_step(part));
    } else if (std::exchange(decoder.gathers_bytes, true)) {
      part.refuse("more than one of them");
    }
  }
  if (is_empty) spec.refuse("a decoder is needed; known: " + std::string(kKnown));
  return decoder;
}

void TextDecoding::push(std::string& piece, std::string& text) {
  for (const auto& step : decoder_.before) step->apply(piece, state_);
  const int byte = decoder_.gathers_bytes ? byte_of_piece(piece) : -1;
  if (byte >= 0) return push_byte(static_cast<char>(byte), text);
  end_run(text);
  emit(piece, text);
}

void TextDecoding::push_byte(char byte, std::string& text) {
  if (is_run_invalid_) return emit_replacements(1, text);
  run_ += byte;
  if (!check_.feed(static_cast<uint8_t>(byte))) {
    is_run_invalid_ = true;
    emit_replacements(run_.size(), text);
    run_.clear();
  } else if (run_.size() >= kMaxRunBytes && check_.is_between_characters()) {
    emit(run_, text);
    run_.clear();
  }
}

void TextDecoding::end_run(std::string& text) {
  if (check_.is_between_characters() && !run_.empty()) {
    emit(run_, text);
  } else {
    emit_replacements(run_.size(), text);
  }
  run_.clear();
  check_ = {};
  is_run_invalid_ = false;
}

void TextDecoding::emit(std::string& piece, std::string& text) {
  for (const auto& step : decoder_.after) step->apply(piece, state_);
  text += piece;
}

void TextDecoding::emit_replacements(size_t count, std::string& text) {
  for (; count > 0; --count) {
    std::string replacement = "\xEF\xBF\xBD";
    emit(replacement, text);
  }
}

void TextDecoding::finish(std::string& text) {
  end_run(text);
  state_ = {};
}

void TextDecoding::skip_held() {
  size_t whole = 0;
  while (whole < run_.size()) {
    const Utf8Char next = read_utf8(std::string_view(run_).substr(whole));
    if (next.state != Utf8State::valid) break;
    whole += static_cast<size_t>(next.length);
  }
  if (whole == 0) return;
  std::string given;
  std::string seen = run_.substr(0, whole);
  emit(seen, given);
  run_.erase(0, whole);
}

}  // namespace headroom
