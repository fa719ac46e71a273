#include "headroom/formats/tokenizer/bpe_model.h"

#include <fmt/format.h>

#include "headroom/formats/tokenizer/byte_alphabet.h"
#include "headroom/formats/tokenizer/character_class.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

std::string_view first_character(std::string_view piece) { return piece.substr(0, read_utf8(piece).length); }

bool may_be_byte_piece(std::string_view piece) { return piece.size() == 6 && piece.starts_with("<0x"); }

}  // namespace

int BpeModel::find_byte_ids() {
  int missing = -1;
  for (int byte = 255; byte >= 0; --byte) {
    std::string piece;
    if (alphabet == Alphabet::bytes) {
      append_utf8(piece, letter_of_byte(static_cast<uint8_t>(byte)));
    } else {
      piece = fmt::format("<0x{:02X}>", byte);
    }
    byte_ids[byte] = pieces.find(piece);
    if (byte_ids[byte] < 0) missing = byte;
  }
  return missing;
}

void JoinedPairs::add(std::string_view left, std::string_view right) {
  bits_[bit_of(read_utf8(last_character(left)).code, read_utf8(right).code)] = true;
  joins_byte_pieces_ = joins_byte_pieces_ || may_be_byte_piece(left) || may_be_byte_piece(right);
}

bool JoinedPairs::may_cut(std::string_view left, std::string_view right) const {
  return !left.empty() && !right.empty() && first_character(left) == left && first_character(right) == right &&
         !joins(read_utf8(left).code, read_utf8(right).code);
}

}  // namespace headroom
