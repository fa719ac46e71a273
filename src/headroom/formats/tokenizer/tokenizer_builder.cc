// From a source to the parts of a tokenizer: tables of the right size, then the components that its outline describes.
#include <algorithm>
#include <cmath>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/normalizer.h"
#include "headroom/formats/tokenizer/postprocessor.h"
#include "headroom/formats/tokenizer/pretokenizer.h"
#include "headroom/formats/tokenizer/score_merges.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {
namespace {

// What does not depend on the vocabulary: buffers of reading and of every stage, symbols and candidates of the longest
// word, the cache of words, compiled expressions with their match stacks, the components' values.
constexpr int64_t kFixedBytes = 3 * kMiB;
// An added token in the outline, in the table of its stage and in the lists made on the way, with what a growing vector
// holds beside; its text twice.
constexpr int64_t kAddedTokenBytes = 320;

[[noreturn]] void refuse_collisions(const std::string& file, const char* what) {
  throw InvalidInput("{}: too many {} collide in a hash table; no vocabulary that was not made to do so is known", file,
                     what);
}

void add_piece(const std::string& file, PieceTable& pieces, int32_t id, std::string_view text) {
  switch (pieces.add(id, text)) {
    case PieceTable::Added::yes: return;
    case PieceTable::Added::id_taken:
      throw InvalidInput("{}: the id {} belongs to both \"{:.80}\" and \"{:.80}\"", file, id, pieces[id], text);
    case PieceTable::Added::text_taken:
      throw InvalidInput("{}: the piece \"{:.80}\" appears twice, with ids {} and {}", file, text, pieces.find(text),
                         id);
    case PieceTable::Added::no_place: refuse_collisions(file, "pieces");
  }
}

// The tokenizers library gives an added token the id of the piece of that text, or the next free one, whatever its
// entry says; an entry that says otherwise is refused, because a model would have been trained with other ids.
void add_added_tokens(const TokenizerOutline& outline, TokenizerParts& parts) {
  int64_t largest_added = -1;
  std::vector<std::string_view> seen;
  for (const AddedTokenEntry& token : outline.added) seen.push_back(token.text);
  std::sort(seen.begin(), seen.end());
  if (const auto twice = std::adjacent_find(seen.begin(), seen.end()); twice != seen.end()) {
    throw InvalidInput("{}: the added token \"{:.80}\" appears twice", parts.path, *twice);
  }
  for (const AddedTokenEntry& token : outline.added) {
    const int32_t piece = parts.model.pieces.find(token.text);
    const int64_t expected = piece >= 0 ? piece : std::max(outline.pieces, largest_added + 1);
    if (token.id != expected) {
      throw InvalidInput("{}: the added token \"{:.80}\" has id {}; expected {}, its place in the vocabulary",
                         parts.path, token.text, token.id, expected);
    }
    if (piece < 0) add_piece(parts.path, parts.model.pieces, token.id, token.text);
    largest_added = std::max<int64_t>(largest_added, token.id);
    if (token.special) parts.special_ids.push_back(token.id);
  }
  std::sort(parts.special_ids.begin(), parts.special_ids.end());
}

// What the normalizer makes of a text by itself.
class TextNormalizer {
 public:
  explicit TextNormalizer(const std::vector<std::unique_ptr<TextComponent>>& components) : first_(&collector_) {
    for (auto component = components.rbegin(); component != components.rend(); ++component) {
      stages_.push_back((*component)->make_stage(*first_));
      first_ = stages_.back().get();
    }
  }
  std::string normalize(const std::string& text) {
    collector_.all.clear();
    first_->text(text);
    first_->end_text();
    return collector_.all;
  }

 private:
  class Collector : public TextStage {
   public:
    void text(std::string_view fragment) override { all += fragment; }
    void end_piece() override {}
    void bytes(std::string_view) override {}
    void token(int32_t) override {}
    std::string all;
  };

  Collector collector_;
  std::vector<std::unique_ptr<TextStage>> stages_;
  TextStage* first_;
};

void add_stages(const TokenizerOutline& outline, PreTokenizer words, TokenizerParts& parts) {
  auto normalizer = read_normalizer(ComponentSpec(outline.normalizer, parts.path + ": normalizer"));
  TextNormalizer normalized(normalizer);
  std::vector<AddedToken> raw;
  std::vector<AddedToken> in_normalized_text;
  for (const AddedTokenEntry& entry : outline.added) {
    AddedToken token = {entry.text, entry.id, entry.single_word, entry.lstrip, entry.rstrip};
    if (entry.normalized) {
      token.text = normalized.normalize(entry.text);
      if (token.text.empty() || token.text.size() > AddedTokens::kMaxTokenBytes) {
        throw InvalidInput("{}: the added token \"{:.80}\" has {} bytes when normalized; expected 1 to {}", parts.path,
                           entry.text, token.text.size(), AddedTokens::kMaxTokenBytes);
      }
      if (token.text != entry.text) parts.normalized_tokens[entry.id] = token.text;
    }
    (entry.normalized ? in_normalized_text : raw).push_back(std::move(token));
  }
  const auto add_tokens = [&](std::vector<AddedToken> tokens) {
    if (!tokens.empty()) parts.stages.push_back(std::make_unique<AddedTokens>(std::move(tokens), parts.path));
  };
  const auto add_all = [&](std::vector<std::unique_ptr<TextComponent>>& components) {
    std::move(components.begin(), components.end(), std::back_inserter(parts.stages));
  };
  add_tokens(std::move(raw));
  add_all(normalizer);
  add_tokens(std::move(in_normalized_text));
  add_all(words.stages);
}

void set_up_model(const TokenizerOutline& outline, bool to_byte_alphabet, TokenizerParts& parts) {
  BpeModel& model = parts.model;
  if (to_byte_alphabet && outline.byte_fallback) {
    throw InvalidInput("{}: model.byte_fallback with a ByteLevel pre_tokenizer is not supported", parts.path);
  }
  model.alphabet = to_byte_alphabet        ? BpeModel::Alphabet::bytes
                   : outline.byte_fallback ? BpeModel::Alphabet::fallback_bytes
                                           : BpeModel::Alphabet::characters;
  model.fuse_unknown = outline.fuse_unknown;
  model.whole_words_first = outline.ignore_merges;
  if (!outline.unknown_piece.empty()) {
    model.unknown_id = model.pieces.find(outline.unknown_piece);
    if (model.unknown_id < 0) {
      throw InvalidInput("{}: model.unk_token \"{:.80}\" is not in the vocabulary", parts.path, outline.unknown_piece);
    }
  }
  const int missing = model.find_byte_ids();
  if (missing >= 0 && outline.byte_fallback) {
    throw InvalidInput("{}: model.byte_fallback needs a piece for every byte; <0x{:02X}> is missing", parts.path,
                       missing);
  }
}

void check_scores(const TokenizerOutline& outline, const TokenizerParts& parts) {
  constexpr size_t kMaxScoredBytes = 1024;  // each byte is a place where the piece may be cut in two
  if (static_cast<int64_t>(outline.scores.size()) != outline.largest_id + 1) {
    throw InvalidInput("{}: {} scores; expected one for each of {} ids", parts.path, outline.scores.size(),
                       outline.largest_id + 1);
  }
  for (int32_t id = 0; id < parts.model.pieces.size(); ++id) {
    if (std::isnan(outline.scores[id])) throw InvalidInput("{}: the score of id {} is not a number", parts.path, id);
    if (parts.model.pieces[id].size() > kMaxScoredBytes && !std::isinf(outline.scores[id])) {
      throw InvalidInput("{}: the piece with id {} has a score and {} bytes; expected at most {}", parts.path, id,
                         parts.model.pieces[id].size(), kMaxScoredBytes);
    }
  }
}

void add_merges(const TokenizerOutline& outline, TokenizerSource& source, TokenizerParts& parts) {
  BpeModel& model = parts.model;
  if (!outline.scores.empty()) {
    check_scores(outline, parts);
    const int64_t merges = count_score_merges(model.pieces, outline.scores);
    const int64_t table_bytes = MergeTable::bytes_for(merges);
    if (table_bytes > source.table_limit_bytes()) {
      throw InvalidInput("{}: the scores allow {} merges, which need {} of tables; expected at most {}", parts.path,
                         merges, format_bytes(table_bytes), format_bytes(source.table_limit_bytes()));
    }
    model.merges = MergeTable(merges);
    if (!add_score_merges(outline.scores, model, parts.joined)) refuse_collisions(parts.path, "merges");
    return;
  }
  int32_t rank = 0;
  std::string joined;
  const auto id_of = [&](std::string_view piece) {
    const int32_t id = model.pieces.find(piece);
    if (id < 0 || piece.empty()) {
      throw InvalidInput("{}: merge {} names the piece \"{:.80}\", which is not in the vocabulary", parts.path, rank,
                         piece);
    }
    return id;
  };
  source.read_merges([&](std::string_view left, std::string_view right) {
    joined.assign(left);
    joined += right;
    if (!model.merges.add({id_of(left), id_of(right), rank, id_of(joined)})) refuse_collisions(parts.path, "merges");
    parts.joined.add(left, right);
    ++rank;
  });
}

void add_surrounding_ids(const TokenizerOutline& outline, TokenizerParts& parts) {
  SurroundingIds around = read_postprocessor(ComponentSpec(outline.post_processor, parts.path + ": post_processor"));
  for (const auto* ids : {&around.before, &around.after}) {
    for (const int32_t id : *ids) {
      if (parts.model.pieces.contains(id)) continue;
      throw InvalidInput("{}: post_processor: no piece has the id {}", parts.path, id);
    }
  }
  parts.before = std::move(around.before);
  parts.after = std::move(around.after);
}

int64_t table_bytes_for(const TokenizerOutline& outline, int64_t merges) {
  const int64_t pieces = outline.pieces + static_cast<int64_t>(outline.added.size());
  return PieceTable::bytes_for(pieces, outline.largest_id + 1, outline.piece_bytes) + MergeTable::bytes_for(merges);
}

}  // namespace

int64_t tokenizer_bound_bytes(const TokenizerOutline& outline, int64_t merges) {
  int64_t bytes = table_bytes_for(outline, merges) + kFixedBytes;
  for (const AddedTokenEntry& token : outline.added) {
    bytes += kAddedTokenBytes + 2 * static_cast<int64_t>(token.text.size());
  }
  // The scores, and the order of ids by score.
  return bytes + static_cast<int64_t>(outline.scores.size() * (2 * sizeof(float) + sizeof(int32_t)));
}

std::unique_ptr<const TokenizerParts> build_tokenizer(TokenizerSource& source) {
  const std::string& file = source.file();
  const TokenizerOutline outline = source.outline();
  const int64_t pieces = outline.pieces + static_cast<int64_t>(outline.added.size());
  const int64_t ids = outline.largest_id + 1;
  const int64_t table_bytes = table_bytes_for(outline, outline.merges);
  if (table_bytes > source.table_limit_bytes()) {
    throw InvalidInput(
        "{}: {} pieces with ids up to {} and {} merges need {} of tables; expected at most {} for a file of this size",
        file, pieces, outline.largest_id, outline.merges, format_bytes(table_bytes),
        format_bytes(source.table_limit_bytes()));
  }
  auto parts = std::unique_ptr<TokenizerParts>(new TokenizerParts{
      .path = file,
      .changes = outline.changes,
      .model = {.pieces = PieceTable(pieces, ids, outline.piece_bytes), .merges = MergeTable(outline.merges)},
      .joined = JoinedPairs(),
      .stages = {},
      .decoder = {},
      .special_ids = {},
      .before = {},
      .after = {},
      .normalized_tokens = {},
      .bos_id = {},
      .eos_id = {},
      .pad_id = {}});

  source.read_pieces([&](int32_t id, std::string_view text) { add_piece(file, parts->model.pieces, id, text); });
  add_added_tokens(outline, *parts);
  add_merges(outline, source, *parts);

  PreTokenizer words = read_pretokenizer(ComponentSpec(outline.pre_tokenizer, file + ": pre_tokenizer"));
  set_up_model(outline, words.to_byte_alphabet, *parts);
  add_stages(outline, std::move(words), *parts);
  parts->decoder = read_decoder(ComponentSpec(outline.decoder, file + ": decoder"));
  add_surrounding_ids(outline, *parts);
  const RoleIds roles = source.read_roles(parts->model.pieces);
  parts->bos_id = roles.bos;
  parts->eos_id = roles.eos;
  parts->pad_id = roles.pad;
  return parts;
}

}  // namespace headroom
