// The model of a BPE tokenizer: pieces, merges, and what becomes of characters that no piece holds. Constant after
// loading. BpeStage (bpe_stage.h) applies it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/merge_table.h"
#include "headroom/formats/tokenizer/piece_table.h"

namespace headroom {

struct BpeModel {
  // How a text becomes the first symbols of a word.
  enum class Alphabet : uint8_t {
    bytes,          // each byte is its letter in the byte alphabet
    characters,     // each character is a piece; one without a piece becomes the unknown token
    fallback_bytes  // as characters, but one without a piece becomes the pieces <0x00> ... <0xFF> of its bytes
  };

  PieceTable pieces;
  MergeTable merges;
  Alphabet alphabet = Alphabet::bytes;
  int32_t unknown_id = -1;  // -1: what has no piece disappears
  bool fuse_unknown = false;
  bool whole_words_first = false;       // ignore_merges: a word that is a piece is not built from merges
  std::array<int32_t, 256> byte_ids{};  // of each byte's letter or fallback piece; -1 if there is none

  // Fills byte_ids; the first byte without a piece, or -1.
  int find_byte_ids();
};

// Pairs of characters that some merge joins. Where two neighbours of a word are no such pair, no merge can ever reach
// across, and the word may be cut there without changing its ids: every piece with that pair inside was built by a
// merge whose left part ends in the one and whose right part begins with the other. (A bit may be set by chance; a cut
// is then merely not made.)
class JoinedPairs {
 public:
  explicit JoinedPairs(size_t bits = 1 << 18) : bits_(bits) {}
  void add(std::string_view left, std::string_view right);
  bool joins(char32_t left, char32_t right) const { return bits_[bit_of(left, right)]; }
  // Whether some merge has a piece such as <0x0A> as a part: with byte fallback that piece stands for another text.
  bool joins_byte_pieces() const { return joins_byte_pieces_; }
  // Whether a word may be cut between these first symbols: both are pieces of one character, and nothing joins them.
  bool may_cut(std::string_view left, std::string_view right) const;

 private:
  size_t bit_of(char32_t left, char32_t right) const {
    return hash_to_range(mix_bits(uint64_t{left} << 32 | right), bits_.size());
  }
  std::vector<bool> bits_;
  bool joins_byte_pieces_ = false;
};

}  // namespace headroom
