// The decoder of a tokenizer.json: what text each piece of an encoded text stands for, piece after piece. A new kind is
// a class and a row of the table in piece_decoder.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/component_spec.h"

namespace headroom {

// What a decoder must remember from piece to piece of one text.
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

std::vector<std::unique_ptr<DecodeStep>> read_decoder(const ComponentSpec& spec);

}  // namespace headroom
