// Reading a tokenizer.json: three passes over the file, so that no table grows and nothing depends on the order of its
// sections. First the outline, then the pieces, then the merges.
#include <array>
#include <map>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/json/json_scan.h"
#include "headroom/formats/tokenizer/apply_settings.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_settings.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {
namespace {

using Kind = JsonEvent::Kind;

// The most that tables may take. Pretty-printed files of real tokenizers need 0.6 to 0.9 of their size; 1.5 leaves room
// for compact ones.
int64_t table_bound_bytes(int64_t file_bytes) { return file_bytes + file_bytes / 2 + 64 * kKiB; }

// Of an added token, in tables of pieces.
constexpr int64_t kAddedTableBytes = 64;

class PieceReader : public JsonVisitor {
 public:
  explicit PieceReader(const TokenizerSource::PieceSink& add) : add_(add) {}
  void event(const JsonEvent& event) override {
    if (event.path.size() == 3 && event.path[0] == "model" && event.path[1] == "vocab") {
      add_(static_cast<int32_t>(event.integer), event.path[2]);
    }
  }

 private:
  const TokenizerSource::PieceSink& add_;
};

class MergeReader : public JsonVisitor {
 public:
  MergeReader(const std::string& file, const TokenizerSource::MergeSink& add) : file_(file), add_(add) {}

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
    throw InvalidInput("{}: merge {} is no pair of pieces; expected [\"a\", \"b\"] or \"a b\"", file_, rank_);
  }

  void one_string(const JsonEvent& event) {
    const size_t space = event.text.find(' ');
    if (event.kind != Kind::text || space == std::string_view::npos ||
        event.text.find(' ', space + 1) != std::string_view::npos) {
      refuse();
    }
    add(event.text.substr(0, space), event.text.substr(space + 1));
  }

  void add(std::string_view left, std::string_view right) {
    add_(left, right);
    ++rank_;
  }

  const std::string& file_;
  const TokenizerSource::MergeSink& add_;
  int64_t rank_ = 0;
  int sides_ = 0;
  std::string left_;
  std::string right_;
};

class PieceFinder : public JsonVisitor {
 public:
  explicit PieceFinder(std::map<std::string, int64_t, std::less<>>& ids) : ids_(ids) {}
  void event(const JsonEvent& event) override {
    if (event.path.size() != 3 || event.path[0] != "model" || event.path[1] != "vocab") return;
    const auto wanted = ids_.find(event.path[2]);
    if (wanted != ids_.end()) wanted->second = event.integer;
  }

 private:
  std::map<std::string, int64_t, std::less<>>& ids_;
};

class TokenizerJson : public TokenizerSource {
 public:
  explicit TokenizerJson(const std::string& path) : path_(path), file_bytes_(File::open(path).size_bytes()) {}

  const std::string& file() const override { return path_; }
  TokenizerOutline outline() override {
    TokenizerOutline outline = read_tokenizer_outline(path_);
    const TokenizerSettings settings = read_tokenizer_settings(path_);
    const size_t added = outline.added.size();
    const auto find_pieces = [this](auto& ids) {
      PieceFinder finder(ids);
      scan_json_file(path_, finder);
    };
    apply_settings(settings, path_, find_pieces, outline);
    beside_bytes_ = 0;
    for (size_t i = added; i < outline.added.size(); ++i) {
      beside_bytes_ += kAddedTableBytes + static_cast<int64_t>(outline.added[i].text.size());
    }
    roles_ = {settings.bos.text, settings.eos.text, settings.pad.text};
    return outline;
  }
  int64_t table_limit_bytes() const override { return table_bound_bytes(file_bytes_) + beside_bytes_; }

  void read_pieces(const PieceSink& add) override {
    PieceReader reader(add);
    scan_json_file(path_, reader);
  }

  void read_merges(const MergeSink& add) override {
    MergeReader reader(path_, add);
    scan_json_file(path_, reader);
  }

  RoleIds read_roles(const PieceTable& pieces) override {
    const auto id_of = [&](const std::string& text) -> std::optional<int32_t> {
      const int32_t id = text.empty() ? -1 : pieces.find(text);
      return id < 0 ? std::nullopt : std::optional(id);
    };
    return {id_of(roles_[0]), id_of(roles_[1]), id_of(roles_[2])};
  }

 private:
  std::string path_;
  int64_t file_bytes_;
  int64_t beside_bytes_ = 0;          // of tables, for tokens that other files add
  std::array<std::string, 3> roles_;  // texts of bos, eos, pad; empty: none
};

}  // namespace

int64_t Tokenizer::memory_bound_bytes(const std::string& path) {
  if (GgufFile::is_gguf(path)) {
    const GgufFile file(path);
    return GgufVocabulary(file).memory_bound_bytes();
  }
  const TokenizerOutline outline = TokenizerJson(file_of(path)).outline();
  return tokenizer_bound_bytes(outline, outline.merges);
}

std::unique_ptr<TokenizerSource> tokenizer_json_source(const std::string& path) {
  return std::make_unique<TokenizerJson>(path);
}

std::unique_ptr<const TokenizerParts> load_tokenizer_json(const std::string& path) {
  TokenizerJson source(path);
  return build_tokenizer(source);
}

}  // namespace headroom
