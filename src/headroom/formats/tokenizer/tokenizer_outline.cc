#include "headroom/formats/tokenizer/tokenizer_outline.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_scan.h"
#include "headroom/formats/tokenizer/added_tokens.h"
#include "headroom/formats/tokenizer/piece_table.h"

namespace headroom {
namespace {

using Kind = JsonEvent::Kind;

constexpr int kMaxComponentValues = 4096;
constexpr size_t kMaxAddedTokens = 65536;
constexpr int64_t kMaxId = 1 << 24;

// Gathers one component as a JSON value. What is inside a tokenizer's components is small; more is refused.
class ComponentBuilder {
 public:
  void take(const JsonEvent& event, nlohmann::json& root, const std::string& file) {
    if (event.kind == Kind::end_object || event.kind == Kind::end_array) return open_.pop_back();
    text_bytes_ += event.text.size() + event.path.back().size();
    if (++values_ > kMaxComponentValues || text_bytes_ > kMaxJsonTextBytes) {
      throw InvalidInput("{}: {} is larger than any known tokenizer's", file, event.path[0]);
    }
    nlohmann::json& place = open_.empty() ? root : insert(*open_.back(), event.path.back());
    place = value_of(event);
    if (event.kind == Kind::begin_object || event.kind == Kind::begin_array) open_.push_back(&place);
  }

 private:
  static nlohmann::json& insert(nlohmann::json& parent, const std::string& key) {
    if (parent.is_object()) return parent[key];
    parent.emplace_back(nullptr);
    return parent.back();
  }

  static nlohmann::json value_of(const JsonEvent& event) {
    switch (event.kind) {
      case Kind::boolean: return event.boolean;
      case Kind::integer:
        return event.integer < 0 ? nlohmann::json(event.integer) : nlohmann::json(uint64_t(event.integer));
      case Kind::number: return event.number;
      case Kind::text: return std::string(event.text);
      case Kind::begin_object: return nlohmann::json::object();
      case Kind::begin_array: return nlohmann::json::array();
      default: return nullptr;
    }
  }

  std::vector<nlohmann::json*> open_;  // the containers that the event is inside of
  int values_ = 0;
  size_t text_bytes_ = 0;
};

class OutlineReader : public JsonVisitor {
 public:
  OutlineReader(const std::string& file, TokenizerOutline& outline) : file_(file), outline_(outline) {}

  void event(const JsonEvent& event) override {
    if (event.path.empty()) {
      if (event.kind != Kind::begin_object && event.kind != Kind::end_object) refuse("expected a JSON object");
      return;
    }
    const std::string& section = event.path[0];
    if (section == "model") return model(event);
    if (section == "added_tokens") return added_token(event);
    for (const auto& [name, json] : components_) {
      if (section == name) return builder_.take(event, *json, file_);
    }
  }

  void finish() {
    if (!has_vocabulary_) refuse("no model.vocab; expected a tokenizer.json of the tokenizers library");
    if (!has_merges_) refuse("no model.merges; only BPE tokenizers are supported");
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const { throw InvalidInput("{}: {}", file_, reason); }

  void model(const JsonEvent& event) {
    if (event.path.size() == 1) {
      if (event.kind != Kind::begin_object && event.kind != Kind::end_object) refuse("model must be an object");
      return;
    }
    const std::string& field = event.path[1];
    if (field == "vocab") return vocabulary(event);
    if (field == "merges") return merges(event);
    if (event.path.size() == 2) setting(field, event);
  }

  void vocabulary(const JsonEvent& event) {
    if (event.path.size() == 2) {
      if (event.kind == Kind::end_object) return;
      if (event.kind != Kind::begin_object) refuse("model.vocab must be an object of piece: id (a BPE model's)");
      if (has_vocabulary_) refuse("model.vocab appears twice");
      has_vocabulary_ = true;
      return;
    }
    const std::string& piece = event.path[2];
    if (event.kind != Kind::integer || event.path.size() != 3) refuse("the id of " + quote(piece) + " is no integer");
    if (piece.size() > PieceTable::kMaxPieceBytes) refuse("a piece of more than 65,535 bytes");
    ++outline_.pieces;
    outline_.piece_bytes += static_cast<int64_t>(piece.size());
    note_id(event.integer, piece);
  }

  void merges(const JsonEvent& event) {
    if (event.path.size() == 2) {
      if (event.kind == Kind::end_array) return;
      if (event.kind != Kind::begin_array) refuse("model.merges must be an array");
      if (has_merges_) refuse("model.merges appears twice");
      has_merges_ = true;
    } else if (event.path.size() == 3 && event.kind != Kind::end_array) {
      ++outline_.merges;
    }
  }

  void setting(const std::string& field, const JsonEvent& event) {
    const bool absent = event.kind == Kind::null;
    if (field == "type") {
      if (event.kind != Kind::text) refuse("model.type must be a string");
      if (event.text != "BPE") refuse("model type " + std::string(event.text) + " is not supported; known: BPE");
    } else if (field == "dropout") {
      const bool zero =
          (event.kind == Kind::number && event.number == 0) || (event.kind == Kind::integer && event.integer == 0);
      if (!absent && !zero) refuse("model.dropout is not supported");
    } else if (field == "continuing_subword_prefix" || field == "end_of_word_suffix") {
      if (!absent && !(event.kind == Kind::text && event.text.empty())) refuse("model." + field + " is not supported");
    } else if (field == "unk_token") {
      if (!absent && event.kind != Kind::text) refuse("model.unk_token must be a string");
      outline_.unknown_piece = event.text;
    } else if (field == "fuse_unk" || field == "byte_fallback" || field == "ignore_merges") {
      if (!absent && event.kind != Kind::boolean) refuse("model." + field + " must be true or false");
      (field == "fuse_unk"        ? outline_.fuse_unknown
       : field == "byte_fallback" ? outline_.byte_fallback
                                  : outline_.ignore_merges) = event.boolean;
    }
  }

  void added_token(const JsonEvent& event) {
    if (event.path.size() == 1) {
      if (event.kind != Kind::begin_array && event.kind != Kind::end_array && event.kind != Kind::null) {
        refuse("added_tokens must be an array");
      }
      return;
    }
    if (event.path.size() == 2) {
      if (event.kind == Kind::end_object) return end_added_token();
      if (event.kind != Kind::begin_object) refuse("added_tokens must hold objects");
      if (outline_.added.size() == kMaxAddedTokens) refuse("more than 65,536 added tokens");
      outline_.added.emplace_back();
      fields_ = 0;
      return;
    }
    AddedTokenEntry& token = outline_.added.back();
    const std::string& field = event.path[2];
    ++fields_;
    if (field == "id") {
      if (event.kind != Kind::integer) refuse("the id of an added token is no integer");
      note_id(event.integer, "an added token");
      token.id = static_cast<int32_t>(event.integer);
    } else if (field == "content") {
      if (event.kind != Kind::text) refuse("the content of an added token must be a string");
      token.text = event.text;
    } else if (event.kind != Kind::boolean) {
      refuse("the field " + field + " of an added token must be true or false");
    } else {
      const std::pair<const char*, bool*> flags[] = {{"special", &token.special},
                                                     {"normalized", &token.normalized},
                                                     {"single_word", &token.single_word},
                                                     {"lstrip", &token.lstrip},
                                                     {"rstrip", &token.rstrip}};
      for (const auto& [name, flag] : flags) {
        if (field == name) *flag = event.boolean;
      }
    }
  }

  void end_added_token() {
    const AddedTokenEntry& token = outline_.added.back();
    if (fields_ < 7 || token.id < 0) refuse("an added token without id, content or one of its five flags");
    if (token.text.empty() || token.text.size() > AddedTokens::kMaxTokenBytes) {
      refuse("an added token of " + std::to_string(token.text.size()) + " bytes; expected 1 to 1024");
    }
    outline_.piece_bytes += static_cast<int64_t>(token.text.size());
  }

  void note_id(int64_t id, const std::string& piece) {
    if (id < 0 || id >= kMaxId) refuse("the id " + std::to_string(id) + " of " + quote(piece) + " is out of range");
    outline_.largest_id = std::max(outline_.largest_id, id);
  }

  static std::string quote(const std::string& piece) { return "\"" + piece.substr(0, 80) + "\""; }

  const std::string& file_;
  TokenizerOutline& outline_;
  const std::pair<const char*, nlohmann::json*> components_[4] = {{"normalizer", &outline_.normalizer},
                                                                  {"pre_tokenizer", &outline_.pre_tokenizer},
                                                                  {"post_processor", &outline_.post_processor},
                                                                  {"decoder", &outline_.decoder}};
  ComponentBuilder builder_;
  bool has_vocabulary_ = false;
  bool has_merges_ = false;
  int fields_ = 0;
};

}  // namespace

TokenizerOutline read_tokenizer_outline(const std::string& path) {
  TokenizerOutline outline;
  OutlineReader reader(path, outline);
  scan_json_file(path, reader);
  reader.finish();
  return outline;
}

}  // namespace headroom
