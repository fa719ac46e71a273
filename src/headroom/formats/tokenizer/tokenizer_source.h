// Where a tokenizer comes from: a tokenizer.json (tokenizer_json.cc) or the vocabulary inside another file. A source
// describes its tokenizer first, then gives its pieces and merges one by one, so that no table grows and no list of
// them is ever held twice; build_tokenizer makes the rest.
//
// A vocabulary whose file only names its pipeline (GGUF) fills the outline with one of tokenizer_pipelines.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "headroom/formats/tokenizer/tokenizer_outline.h"

namespace headroom {

class PieceTable;
struct TokenizerParts;

struct RoleIds {
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::optional<int32_t> pad;
};

class TokenizerSource {
 public:
  using PieceSink = std::function<void(int32_t id, std::string_view text)>;
  using MergeSink = std::function<void(std::string_view left, std::string_view right)>;

  TokenizerSource() = default;
  virtual ~TokenizerSource() = default;
  TokenizerSource(const TokenizerSource&) = delete;
  TokenizerSource& operator=(const TokenizerSource&) = delete;

  // All are called once, in this order, and may throw InvalidInput. What they give is checked, not trusted: ids and
  // texts that appear twice, merges of what is no piece, and tables beyond table_limit_bytes() are refused.

  // The file, as it begins every error.
  virtual const std::string& file() const = 0;
  // Everything but the pieces and merges, which are counted exactly (tokenizer_outline.h).
  virtual TokenizerOutline outline() = 0;
  // The most that the tables of pieces and merges may take: a function of the file's size.
  virtual int64_t table_limit_bytes() const = 0;
  // outline.pieces of them in any order, texts of outline.piece_bytes in all (added tokens may count), ids from 0 to
  // outline.largest_id.
  virtual void read_pieces(const PieceSink& add) = 0;
  // outline.merges of them, lowest rank first. Not called where outline.scores stand instead.
  virtual void read_merges(const MergeSink& add) = 0;
  // Not checked.
  virtual RoleIds read_roles(const PieceTable& pieces) = 0;
};

// A tokenizer.json. May be asked several times.
std::unique_ptr<TokenizerSource> tokenizer_json_source(const std::string& path);

// Throws InvalidInput naming the file for everything that is wrong with it or not supported.
std::unique_ptr<const TokenizerParts> build_tokenizer(TokenizerSource& source);

// The most memory that building a tokenizer of this outline, one TokenEncoder and one StreamDecoder together take at
// any time. `merges`: outline.merges or, where there are scores, count_score_merges (score_merges.h).
int64_t tokenizer_bound_bytes(const TokenizerOutline& outline, int64_t merges);

}  // namespace headroom
