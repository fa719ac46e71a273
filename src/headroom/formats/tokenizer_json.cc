// Reading a tokenizer.json: three passes over the file, so that no table grows and nothing depends on the order of its
// sections. First the outline, then the pieces, then the merges.
#include <algorithm>
#include <filesystem>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json_scan.h"
#include "headroom/formats/normalizer.h"
#include "headroom/formats/postprocessor.h"
#include "headroom/formats/pretokenizer.h"
#include "headroom/formats/tokenizer.h"
#include "headroom/formats/tokenizer_outline.h"
#include "headroom/formats/tokenizer_parts.h"

namespace headroom {
namespace {

using Kind = JsonEvent::Kind;

// What does not depend on the file: buffers of reading and of every stage, symbols and candidates of the longest word,
// compiled expressions with their match stacks, the components' values.
constexpr int64_t kFixedBytes = 5 * kMiB / 2;

// The part of the bound that tables may take. Pretty-printed files of real tokenizers need 0.6 to 0.9 of their size;
// 1.5 leaves room for compact ones.
int64_t table_bound_bytes(int64_t file_bytes) { return file_bytes + file_bytes / 2 + 64 * kKiB; }

class PieceReader : public JsonVisitor {
 public:
  PieceReader(const std::string& file, PieceTable& pieces) : file_(file), pieces_(pieces) {}
  void event(const JsonEvent& event) override {
    if (event.path.size() == 3 && event.path[0] == "model" && event.path[1] == "vocab") {
      add(static_cast<int32_t>(event.integer), event.path[2]);
    }
  }
  void add(int32_t id, std::string_view text) {
    switch (pieces_.add(id, text)) {
      case PieceTable::Added::yes: return;
      case PieceTable::Added::id_taken:
        throw InvalidInput("{}: the id {} belongs to both \"{:.80}\" and \"{:.80}\"", file_, id, pieces_[id], text);
      case PieceTable::Added::text_taken:
        throw InvalidInput("{}: the piece \"{:.80}\" appears twice, with ids {} and {}", file_, text,
                           pieces_.find(text), id);
    }
  }

 private:
  const std::string& file_;
  PieceTable& pieces_;
};

class MergeReader : public JsonVisitor {
 public:
  MergeReader(TokenizerParts& parts) : parts_(parts) {}

  void event(const JsonEvent& event) override {
    if (event.path.size() < 3 || event.path[0] != "model" || event.path[1] != "merges") return;
    if (event.path.size() == 3) {
      if (event.kind == Kind::begin_array) {
        sides_ = 0;
      } else if (event.kind == Kind::end_array) {
        if (sides_ != 2) refuse();
        add(left_, right_);
      } else {
        one_string(event);
      }
      return;
    }
    if (event.kind != Kind::text || event.path.size() != 4 || ++sides_ > 2) refuse();
    (sides_ == 1 ? left_ : right_) = event.text;
  }

 private:
  [[noreturn]] void refuse() const {
    throw InvalidInput("{}: merge {} is no pair of pieces; expected [\"a\", \"b\"] or \"a b\"", parts_.path, rank_);
  }

  void one_string(const JsonEvent& event) {
    const size_t space = event.text.find(' ');
    if (event.kind != Kind::text || space == std::string_view::npos ||
        event.text.find(' ', space + 1) != std::string_view::npos) {
      refuse();
    }
    add(event.text.substr(0, space), event.text.substr(space + 1));
  }

  int32_t id_of(std::string_view piece) const {
    const int32_t id = parts_.model.pieces.find(piece);
    if (id < 0 || piece.empty()) {
      throw InvalidInput("{}: merge {} names the piece \"{:.80}\", which is not in the vocabulary", parts_.path, rank_,
                         piece);
    }
    return id;
  }

  void add(std::string_view left, std::string_view right) {
    joined_.assign(left);
    joined_ += right;
    parts_.model.merges.add({id_of(left), id_of(right), rank_, id_of(joined_)});
    parts_.joined.add(left, right);
    ++rank_;
  }

  TokenizerParts& parts_;
  int32_t rank_ = 0;
  int sides_ = 0;
  std::string left_;
  std::string right_;
  std::string joined_;
};

// The names of tokens in tokenizer_config.json: a string, or an object with its content.
class NameReader : public JsonVisitor {
 public:
  std::string bos;
  std::string eos;
  std::string pad;

  void event(const JsonEvent& event) override {
    if (event.kind != Kind::text) return;
    if (event.path.size() != 1 && !(event.path.size() == 2 && event.path[1] == "content")) return;
    if (event.path[0] == "bos_token") bos = event.text;
    if (event.path[0] == "eos_token") eos = event.text;
    if (event.path[0] == "pad_token") pad = event.text;
  }
};

void read_names(TokenizerParts& parts) {
  const std::string path = (std::filesystem::path(parent_of(parts.path)) / "tokenizer_config.json").string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  NameReader names;
  scan_json_file(path, names);
  const auto id_of = [&](const char* role, const std::string& name) -> std::optional<int32_t> {
    if (name.empty()) return std::nullopt;
    const int32_t id = parts.model.pieces.find(name);
    if (id < 0) throw InvalidInput("{}: the {} \"{:.80}\" is not in {}", path, role, name, parts.path);
    return id;
  };
  parts.bos_id = id_of("bos_token", names.bos);
  parts.eos_id = id_of("eos_token", names.eos);
  parts.pad_id = id_of("pad_token", names.pad);
}

// The tokenizers library gives an added token the id of the piece of that text, or the next free one, whatever its
// entry says; an entry that says otherwise is refused, because a model would have been trained with other ids.
void add_added_tokens(const TokenizerOutline& outline, PieceReader& reader, TokenizerParts& parts) {
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
    if (piece < 0) reader.add(token.id, token.text);
    largest_added = std::max<int64_t>(largest_added, token.id);
    if (token.special) parts.special_ids.push_back(token.id);
  }
  std::sort(parts.special_ids.begin(), parts.special_ids.end());
}

void add_stages(const TokenizerOutline& outline, PreTokenizer words, TokenizerParts& parts) {
  auto normalizer = read_normalizer(ComponentSpec(outline.normalizer, parts.path + ": normalizer"));
  const bool normalizes = !normalizer.empty();
  const auto add_tokens = [&](bool normalized) {
    std::vector<std::pair<std::string, int32_t>> tokens;
    for (const AddedTokenEntry& token : outline.added) {
      if (token.normalized != normalized) continue;
      if (normalized && normalizes) {
        throw InvalidInput("{}: added token \"{:.80}\": normalized together with a normalizer is not supported",
                           parts.path, token.text);
      }
      tokens.emplace_back(token.text, token.id);
    }
    if (!tokens.empty()) parts.stages.push_back(std::make_unique<AddedTokens>(std::move(tokens)));
  };
  const auto add_all = [&](std::vector<std::unique_ptr<TextComponent>>& components) {
    std::move(components.begin(), components.end(), std::back_inserter(parts.stages));
  };
  add_tokens(false);
  add_all(normalizer);
  add_tokens(true);
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

}  // namespace

int64_t Tokenizer::memory_bound_bytes(int64_t file_bytes) { return table_bound_bytes(file_bytes) + kFixedBytes; }

std::unique_ptr<const TokenizerParts> load_tokenizer_json(const std::string& path) {
  const int64_t file_bytes = File::open(path).size_bytes();
  TokenizerOutline outline = read_tokenizer_outline(path);
  const int64_t pieces = outline.pieces + static_cast<int64_t>(outline.added.size());
  const int64_t ids = outline.largest_id + 1;
  const int64_t table_bytes =
      PieceTable::bytes_for(pieces, ids, outline.piece_bytes) + MergeTable::bytes_for(outline.merges);
  if (table_bytes > table_bound_bytes(file_bytes)) {
    throw InvalidInput(
        "{}: {} pieces with ids up to {} and {} merges need {} of tables; expected at most {} for a file of this size",
        path, pieces, outline.largest_id, outline.merges, format_bytes(table_bytes),
        format_bytes(table_bound_bytes(file_bytes)));
  }
  auto parts = std::unique_ptr<TokenizerParts>(new TokenizerParts{
      .path = path,
      .model = {.pieces = PieceTable(pieces, ids, outline.piece_bytes), .merges = MergeTable(outline.merges)},
      .joined = JoinedPairs(),
      .stages = {},
      .decoder = {},
      .special_ids = {},
      .before = {},
      .after = {},
      .bos_id = {},
      .eos_id = {},
      .pad_id = {}});

  PieceReader piece_reader(parts->path, parts->model.pieces);
  scan_json_file(path, piece_reader);
  add_added_tokens(outline, piece_reader, *parts);
  MergeReader merge_reader(*parts);
  scan_json_file(path, merge_reader);

  PreTokenizer words = read_pretokenizer(ComponentSpec(outline.pre_tokenizer, path + ": pre_tokenizer"));
  set_up_model(outline, words.to_byte_alphabet, *parts);
  add_stages(outline, std::move(words), *parts);
  parts->decoder = read_decoder(ComponentSpec(outline.decoder, path + ": decoder"));
  SurroundingIds around = read_postprocessor(ComponentSpec(outline.post_processor, path + ": post_processor"));
  for (const int32_t id : around.before) around.after.push_back(id);
  for (const int32_t id : around.after) {
    if (!parts->model.pieces.contains(id)) throw InvalidInput("{}: post_processor: no piece has the id {}", path, id);
  }
  around.after.resize(around.after.size() - around.before.size());
  parts->before = std::move(around.before);
  parts->after = std::move(around.after);
  read_names(*parts);
  return parts;
}

}  // namespace headroom
