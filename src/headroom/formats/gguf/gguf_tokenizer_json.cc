#include "headroom/formats/gguf/gguf_tokenizer_json.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/score_merges.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBufferBytes = 64 * 1024;

// A text file that grows through a fixed buffer and appears whole.
class TextOutput {
 public:
  explicit TextOutput(const std::string& path) : output_(path) {}

  TextOutput& operator<<(std::string_view text) {
    pending_ += text;
    if (pending_.size() >= kBufferBytes) flush();
    return *this;
  }
  void commit() {
    flush();
    output_.commit();
  }

 private:
  void flush() {
    output_.file().write(written_, pending_.data(), static_cast<int64_t>(pending_.size()));
    written_ += static_cast<int64_t>(pending_.size());
    pending_.clear();
  }

  AtomicFile output_;
  std::string pending_;
  int64_t written_ = 0;
};

// A vocabulary need not be UTF-8; JSON is.
template <class Value>
std::string dump(const Value& value) {
  return value.dump(-1, ' ', false, Value::error_handler_t::replace);
}
std::string quoted(std::string_view text) { return dump(Json(text)); }

void write_tokenizer(GgufVocabulary& vocabulary, const PieceTable& pieces, const std::string& path) {
  const TokenizerOutline outline = vocabulary.outline();
  TextOutput out(path);
  out << R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)";
  bool first = true;
  const auto next = [&] {
    if (!first) out << ",";
    out << "\n";
    first = false;
  };
  for (const AddedTokenEntry& token : outline.added) {
    next();
    out << dump(Json{{"id", token.id},
                     {"content", token.text},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  out << "],\n\"normalizer\":" << dump(outline.normalizer) << ",\n\"pre_tokenizer\":" << dump(outline.pre_tokenizer);
  out << ",\n\"post_processor\":" << dump(outline.post_processor) << ",\n\"decoder\":" << dump(outline.decoder);
  const Json unknown = outline.unknown_piece.empty() ? Json() : Json(outline.unknown_piece);
  std::string model = dump(Json{{"type", "BPE"},
                                {"dropout", nullptr},
                                {"unk_token", unknown},
                                {"continuing_subword_prefix", nullptr},
                                {"end_of_word_suffix", nullptr},
                                {"fuse_unk", outline.fuse_unknown},
                                {"byte_fallback", outline.byte_fallback},
                                {"ignore_merges", outline.ignore_merges}});
  model.pop_back();
  out << ",\n\"model\":" << model << ",\n\"vocab\":{";
  first = true;
  for (int32_t id = 0; id < pieces.size(); ++id) {
    next();
    out << quoted(pieces[id]) << ":" << std::to_string(id);
  }
  out << "},\n\"merges\":[";
  first = true;
  const auto merge = [&](std::string_view left, std::string_view right) {
    next();
    out << "[" << quoted(left) << "," << quoted(right) << "]";
  };
  if (outline.scores.empty()) {
    vocabulary.read_merges(merge);
  } else {
    visit_score_merges(pieces, outline.scores,
                       [&](const Merge& found) { merge(pieces[found.left], pieces[found.right]); });
  }
  out << "]}}\n";
  out.commit();
}

}  // namespace

void write_tokenizer_of_gguf(const GgufFile& file, const std::string& directory) {
  GgufVocabulary vocabulary(file);
  const std::unique_ptr<const TokenizerParts> parts = build_tokenizer(vocabulary);
  const PieceTable& pieces = parts->model.pieces;
  const std::filesystem::path folder(directory);
  write_tokenizer(vocabulary, pieces, (folder / "tokenizer.json").string());
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  for (const auto& [role, id] :
       {std::pair{"bos_token", parts->bos_id}, {"eos_token", parts->eos_id}, {"pad_token", parts->pad_id}}) {
    if (id) config[role] = pieces[*id];
  }
  if (file.has("tokenizer.chat_template")) config["chat_template"] = file.text("tokenizer.chat_template");
  write_file_atomically((folder / "tokenizer_config.json").string(),
                        config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace headroom
