// Reading a tokenizer.json: three passes over the file, so that no table grows and nothing depends on the order of its
// sections. First the outline, then the pieces, then the merges.
#include <algorithm>
#include <filesystem>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/json/json_scan.h"
#include "headroom/formats/tokenizer/postprocessor.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"
#include "headroom/formats/tokenizer/tokenizer_settings.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Kind = JsonEvent::Kind;

// The most that tables may take. Pretty-printed files of real tokenizers need 0.6 to 0.9 of their size; 1.5 leaves room
// for compact ones.
int64_t table_bound_bytes(int64_t file_bytes) { return file_bytes + file_bytes / 2 + 64 * kKiB; }

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

// The id of one piece; -1 if there is none.
class PieceFinder : public JsonVisitor {
 public:
  explicit PieceFinder(std::string_view text) : text_(text) {}
  int64_t id = -1;

  void event(const JsonEvent& event) override {
    if (event.path.size() != 3 || event.path[0] != "model" || event.path[1] != "vocab") return;
    if (event.path[2] == text_) id = event.integer;
  }

 private:
  std::string_view text_;
};

class TokenizerJson : public TokenizerSource {
 public:
  explicit TokenizerJson(const std::string& path)
      : path_(path), file_bytes_(File::open(path).size_bytes()), settings_(read_tokenizer_settings(path)) {}

  const std::string& file() const override { return path_; }
  TokenizerOutline outline() override {
    TokenizerOutline outline = read_tokenizer_outline(path_);
    if (settings_.frame) set_frame(*settings_.frame, outline);
    return outline;
  }
  int64_t table_limit_bytes() const override { return table_bound_bytes(file_bytes_); }

  void read_pieces(const PieceSink& add) override {
    PieceReader reader(add);
    scan_json_file(path_, reader);
  }

  void read_merges(const MergeSink& add) override {
    MergeReader reader(path_, add);
    scan_json_file(path_, reader);
  }

  RoleIds read_roles(const PieceTable& pieces) override {
    const auto id_of = [&](const char* role, const std::string& name, bool is_named) -> std::optional<int32_t> {
      const int32_t id = name.empty() ? -1 : pieces.find(name);
      if (id >= 0) return id;
      if (name.empty() || !is_named) return std::nullopt;
      throw InvalidInput("{}: the {} \"{:.80}\" is not in {}", settings_.file, role, name, path_);
    };
    return {id_of("bos_token", settings_.bos_text(), settings_.bos.has_value()),
            id_of("eos_token", settings_.eos_text(), settings_.eos.has_value()),
            id_of("pad_token", settings_.pad.value_or(""), true)};
  }

 private:
  void set_frame(const TokenizerSettings::Frame& frame, TokenizerOutline& outline) const {
    const std::string where = path_ + ": post_processor";
    const SurroundingIds before = read_postprocessor(ComponentSpec(outline.post_processor, where));
    const auto begin = frame.begins ? token(outline, "bos", settings_.bos_text(), frame.says_begins) : std::nullopt;
    const auto end = frame.ends ? token(outline, "eos", settings_.eos_text(), frame.says_ends) : std::nullopt;
    set_surrounding_tokens(begin, end, outline);
    const SurroundingIds after = read_postprocessor(ComponentSpec(outline.post_processor, where));
    if (before.before == after.before && before.after == after.after) return;
    outline.changes +=
        fmt::format("{}: {} puts {} before and {} after a text", fs::path(settings_.file).filename().string(),
                    frame.loader, begin ? begin->text : "nothing", end ? end->text : "nothing");
  }

  // The token of a role; nothing where there is none and the file does not ask for it.
  std::optional<NamedToken> token(const TokenizerOutline& outline, const char* role, const std::string& text,
                                  bool is_asked_for) const {
    const auto entry = std::find_if(outline.added.begin(), outline.added.end(),
                                    [&](const AddedTokenEntry& added) { return added.text == text; });
    if (entry != outline.added.end()) return NamedToken{entry->id, text};
    PieceFinder finder(text);
    if (!text.empty()) scan_json_file(path_, finder);
    if (finder.id >= 0) return NamedToken{static_cast<int32_t>(finder.id), text};
    if (!is_asked_for) return std::nullopt;
    throw InvalidInput("{}: add_{}_token is true, but there is no such token; expected {}_token, a token of {}",
                       settings_.file, role, role, path_);
  }

  std::string path_;
  int64_t file_bytes_;
  TokenizerSettings settings_;
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
