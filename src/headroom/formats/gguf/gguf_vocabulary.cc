#include "headroom/formats/gguf/gguf_vocabulary.h"

#include <cmath>
#include <limits>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/added_tokens.h"
#include "headroom/formats/tokenizer/merge_table.h"
#include "headroom/formats/tokenizer/piece_table.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"

namespace headroom {
namespace {

using Kind = GgufVocabulary::Kind;

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kKinds = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr int64_t kMaxPieces = 1 << 24;
constexpr int64_t kMaxAdded = 65536;
constexpr size_t kMaxScoredBytes = 512;  // of a piece that scores cut in two at every place
// Real vocabularies have twice as many ways to cut a piece in two as pieces.
constexpr int64_t kMergesPerPiece = 4;

Kind kind_of(const GgufFile& file, double number) {
  if (number >= 1 && number <= 6 && number == std::floor(number)) return static_cast<Kind>(number);
  throw InvalidInput("{}: {}: holds {}; expected numbers from 1 to 6", file.path(), kKinds, number);
}

bool is_added(Kind kind) { return kind == Kind::unknown || kind == Kind::control || kind == Kind::user_defined; }

// Calls visit(id, kind); all pieces are normal where the file does not say.
template <class Visit>
void visit_kinds(const GgufFile& file, Visit&& visit) {
  if (!file.has(kKinds)) return;
  for (GgufArray kinds(file, kKinds, false); kinds.next();) visit(kinds.index(), kind_of(file, kinds.number()));
}

// llama.cpp knows some pre-tokenizers under several names.
std::string_view pipeline_of(std::string_view pre) { return pre == "llama3" || pre == "llama-v3" ? "llama-bpe" : pre; }

}  // namespace

GgufVocabulary::GgufVocabulary(const GgufFile& file) : file_(file) {
  if (!is_in(file)) {
    throw InvalidInput("{}: has no vocabulary; expected one for text to become tokens (tokenizer.ggml.model)",
                       file.path());
  }
  const std::string model = file.text("tokenizer.ggml.model");
  if (model != "gpt2" && model != "llama") {
    throw InvalidInput("{}: tokenizer.ggml.model: {} is not supported; expected gpt2 or llama", file.path(),
                       printable(model));
  }
  scored_ = model == "llama";
  const int64_t pieces = GgufArray(file, kTokens, true).count();
  if (pieces == 0 || pieces > kMaxPieces) {
    throw InvalidInput("{}: {}: has {} pieces; expected 1 to {}", file.path(), kTokens, pieces, kMaxPieces);
  }
  for (const std::string_view key : {kKinds, kScores}) {
    if (!file.has(key) && !(scored_ && key == kScores)) continue;
    const int64_t count = GgufArray(file, key, false).count();
    if (count == pieces) continue;
    throw InvalidInput("{}: {}: has {} numbers; expected one for each of the {} pieces", file.path(), key, count,
                       pieces);
  }
  if (!scored_) GgufArray(file, kMerges, true);
  visit_kinds(file, [&](int64_t, Kind kind) { added_ += is_added(kind) ? 1 : 0; });
  if (added_ > kMaxAdded) {
    throw InvalidInput("{}: {}: has {} tokens to be looked for in texts; expected at most {}", file.path(), kKinds,
                       added_, kMaxAdded);
  }
}

int64_t GgufVocabulary::table_limit_bytes() const {
  const int64_t pieces = file_.length(kTokens);
  const int64_t merges = scored_ ? kMergesPerPiece * pieces : file_.length(kMerges);
  return PieceTable::bytes_for(pieces + added_, pieces, file_.array_bytes(kTokens)) + MergeTable::bytes_for(merges);
}

int64_t GgufVocabulary::memory_bound_bytes() {
  const TokenizerOutline outline = this->outline();
  return tokenizer_bound_bytes(outline, scored_ ? kMergesPerPiece * outline.pieces : outline.merges);
}

TokenizerOutline GgufVocabulary::outline() {
  TokenizerOutline outline;
  outline.pieces = file_.length(kTokens);
  outline.piece_bytes = file_.array_bytes(kTokens) - 8 * outline.pieces;
  outline.largest_id = outline.pieces - 1;
  const std::string pre = file_.text_or("tokenizer.ggml.pre", "");
  if (scored_) {
    set_sentencepiece_pipeline(file_.boolean_or("tokenizer.ggml.add_space_prefix", true), outline);
    for (GgufArray scores(file_, kScores, false); scores.next();) {
      const auto score = static_cast<float>(scores.number());
      if (!std::isfinite(score)) {
        throw InvalidInput("{}: {}: the score of piece {} is {}; expected a number", file_.path(), kScores,
                           scores.index(), score);
      }
      if (scores.index() == 0) outline.scores.reserve(static_cast<size_t>(scores.count()));
      outline.scores.push_back(score);
    }
  } else {
    outline.merges = file_.length(kMerges);
    set_byte_level_pipeline(pipeline_of(pre), file_.path() + ": tokenizer.ggml.pre", outline);
  }
  const bool begins = file_.boolean_or("tokenizer.ggml.add_bos_token", scored_ || pipeline_of(pre) == "llama-bpe");
  const bool ends = file_.boolean_or("tokenizer.ggml.add_eos_token", false);
  set_surrounding_tokens(begins ? token_of("tokenizer.ggml.bos_token_id") : std::nullopt,
                         ends ? token_of("tokenizer.ggml.eos_token_id") : std::nullopt, outline);

  outline.added.reserve(static_cast<size_t>(added_));
  GgufArray tokens(file_, kTokens, true);
  visit_kinds(file_, [&](int64_t id, Kind kind) {
    tokens.next();
    const bool made_by_merges = kind == Kind::normal || kind == Kind::unused;
    if (scored_ && !made_by_merges) outline.scores[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
    if (!is_added(kind)) return;
    if (tokens.text().empty() || tokens.text().size() > AddedTokens::kMaxTokenBytes) {
      throw InvalidInput("{}: {}: the special token {} has {} bytes; expected 1 to {}", file_.path(), kTokens, id,
                         tokens.text().size(), AddedTokens::kMaxTokenBytes);
    }
    outline.added.push_back({static_cast<int32_t>(id), std::string(tokens.text()), false, kind != Kind::user_defined});
    if (scored_ && kind == Kind::unknown) outline.unknown_piece = tokens.text();
  });
  return outline;
}

void GgufVocabulary::read_pieces(const PieceSink& add) {
  for (GgufArray tokens(file_, kTokens, true); tokens.next();) {
    if (scored_ && tokens.text().size() > kMaxScoredBytes) {
      throw InvalidInput("{}: {}: piece {} has {} bytes; expected at most {} beside scores", file_.path(), kTokens,
                         tokens.index(), tokens.text().size(), kMaxScoredBytes);
    }
    add(static_cast<int32_t>(tokens.index()), tokens.text());
  }
}

void GgufVocabulary::read_merges(const MergeSink& add) {
  for (GgufArray merges(file_, kMerges, true); merges.next();) {
    const std::string_view merge = merges.text();
    const size_t space = merge.find(' ', 1);  // no piece is empty, and a space is none of the byte alphabet
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      throw InvalidInput("{}: {}: merge {} is no pair of pieces; expected \"a b\"", file_.path(), kMerges,
                         merges.index());
    }
    add(merge.substr(0, space), merge.substr(space + 1));
  }
}

uint64_t GgufVocabulary::fingerprint() const {
  Fingerprint print;
  for (const std::string_view key : file_.keys()) {
    if (!key.starts_with("tokenizer.ggml.")) continue;
    print.add(key);
    file_.add_to_fingerprint(key, print);
  }
  return print.value();
}

RoleIds GgufVocabulary::read_roles(const PieceTable&) {
  return {id_of("tokenizer.ggml.bos_token_id"), id_of("tokenizer.ggml.eos_token_id"),
          id_of("tokenizer.ggml.padding_token_id")};
}

std::optional<int32_t> GgufVocabulary::id_of(std::string_view key) const {
  if (!file_.has(key)) return std::nullopt;
  return static_cast<int32_t>(file_.integer(key, 0, file_.length(kTokens) - 1));
}

std::optional<NamedToken> GgufVocabulary::token_of(std::string_view key) const {
  const std::optional<int32_t> id = id_of(key);
  if (!id) return std::nullopt;
  GgufArray tokens(file_, kTokens, true);
  while (tokens.next() && tokens.index() < *id) {
  }
  return NamedToken{*id, std::string(tokens.text())};
}

std::unique_ptr<const TokenizerParts> load_gguf_tokenizer(const std::string& path) {
  const GgufFile file(path);
  GgufVocabulary vocabulary(file);
  return build_tokenizer(vocabulary);
}

}  // namespace headroom
