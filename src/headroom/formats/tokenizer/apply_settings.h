// What the settings beside a tokenizer.json (tokenizer_settings.h) make of it: more added tokens, others found in
// another way, other tokens around a text.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "headroom/formats/tokenizer/tokenizer_outline.h"
#include "headroom/formats/tokenizer/tokenizer_settings.h"

namespace headroom {

// Gives the pieces of the vocabulary among the keys their ids; others keep -1.
using FindPieces = std::function<void(std::map<std::string, int64_t, std::less<>>& ids)>;

// `file` is the tokenizer.json that `outline` was read from. Added tokens get the ids that the tokenizers library gives
// them: the piece's, or the next one free. Throws InvalidInput where a file says another id, because a model would have
// been trained with it, and for begin and end tokens that are asked for and not there.
void apply_settings(const TokenizerSettings& settings, const std::string& file, const FindPieces& find_pieces,
                    TokenizerOutline& outline);

}  // namespace headroom
