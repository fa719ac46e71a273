// The decoder of a tokenizer.json: what text each piece of an encoded text stands for, piece after piece. A new kind is
// a class and a row of the table in piece_decoder.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/component_spec.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {

// What steps must remember from piece to piece of one text.
struct DecodeState {
  int stripped = 0;         // leading characters removed so far
  bool text_began = false;  // something that is not stripped was written
  bool past_first = false;  // the first piece is done
};

class DecodeStep {
 public:
  DecodeStep() = default;
  virtual ~DecodeStep() = default;
  DecodeStep(const DecodeStep&) = delete;
  DecodeStep& operator=(const DecodeStep&) = delete;

  // Rewrites the piece in place. Afterwards it may hold part of a character.
  virtual void apply(std::string& piece, DecodeState& state) const = 0;
};

struct PieceDecoder {
  std::vector<std::unique_ptr<DecodeStep>> before;
  bool gathers_bytes = false;  // ByteFallback stands here: <0xE4> <0xBD> <0xA0> become one character
  std::vector<std::unique_ptr<DecodeStep>> after;
};

PieceDecoder read_decoder(const ComponentSpec& spec);

// The state of one text. Runs of byte pieces are held back until they end: one that is not UTF-8 as a whole becomes one
// U+FFFD for each of its bytes, as in the tokenizers library.
class TextDecoding {
 public:
  // Of a longer run the whole characters up to here are given out, whatever follows.
  static constexpr size_t kMaxRunBytes = 16384;

  // The decoder must outlive this.
  explicit TextDecoding(const PieceDecoder& decoder) : decoder_(decoder) {}

  // Appends the text that is certain now: whole characters, but for bytes that a byte-level piece cuts. `piece` is used
  // up.
  void push(std::string& piece, std::string& text);
  // The same for what is left. The next push begins a new text.
  void finish(std::string& text);
  // What is held back counts as given out, but for the beginning of a character.
  void skip_held();

 private:
  void push_byte(char byte, std::string& text);
  void end_run(std::string& text);
  void emit(std::string& piece, std::string& text);
  void emit_replacements(size_t count, std::string& text);

  const PieceDecoder& decoder_;
  DecodeState state_;
  std::string run_;
  Utf8Check check_;
  bool is_run_invalid_ = false;  // and what is known of it is given out
};

}  // namespace headroom
