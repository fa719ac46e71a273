#include "headroom/formats/gguf/gguf_vocabulary_writer.h"

#include <algorithm>
#include <limits>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/score_merges.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"

namespace headroom {
namespace {

using Kind = GgufVocabulary::Kind;

constexpr float kNoMerge = -std::numeric_limits<float>::infinity();

// The token of a role, which alone may stand at its end of a text: `ids` are what stands there.
std::optional<int32_t> role_at(const std::string& file, const std::vector<int32_t>& ids, std::optional<int32_t> role) {
  if (ids.empty()) return role;
  if (ids.size() == 1 && role.value_or(ids[0]) == ids[0]) return ids[0];
  throw InvalidInput(
      "{}: post_processor: a GGUF file can name only the begin token before a text and the end token after it", file);
}

}  // namespace

GgufVocabularyWriter::GgufVocabularyWriter(TokenizerSource& source, int64_t rows)
    : source_(source), rows_(static_cast<int32_t>(rows)), outline_(source.outline()), parts_(build_tokenizer(source)) {
  const std::string& file = source.file();
  for (const AddedTokenEntry& token : outline_.added) {
    if (token.lstrip || token.rstrip || token.single_word) {
      throw InvalidInput(
          "{}: the added token \"{:.80}\" has lstrip, rstrip or single_word, which a GGUF file cannot say", file,
          token.text);
    }
    added_.push_back(token.id);
  }
  std::sort(added_.begin(), added_.end());
  const int32_t ids = parts_->model.pieces.size();
  if (ids > rows) {
    throw InvalidInput("{}: the tokenizer has {} ids, the model's embedding {} rows; they do not belong together", file,
                       ids, rows);
  }
  begin_id_ = role_at(file, parts_->before, parts_->bos_id);
  end_id_ = role_at(file, parts_->after, parts_->eos_id);
  if (const std::optional<bool> sentencepiece = find_sentencepiece_pipeline(outline_)) {
    leading_space_ = *sentencepiece;
    score_merges();
    return;
  }
  const std::optional<std::string_view> pipeline = find_byte_level_pipeline(outline_);
  if (!pipeline) {
    throw InvalidInput(
        "{}: its normalizer and pre_tokenizer are none that a GGUF file can name; known: {}; leave the tokenizer.json "
        "away to write a file without a vocabulary",
        file, byte_level_pipelines());
  }
  pre_ = *pipeline;
}

GgufVocabularyWriter::~GgufVocabularyWriter() = default;

int64_t GgufVocabularyWriter::heap_bytes() const {
  constexpr int64_t kAddedBytes = 128;  // of an entry of the outline, and its id
  int64_t bytes = static_cast<int64_t>((scores_.size() + outline_.scores.size()) * sizeof(float));
  for (const AddedTokenEntry& token : outline_.added) bytes += kAddedBytes + static_cast<int64_t>(token.text.size());
  return bytes;
}

// A SentencePiece vocabulary has no merges: any two neighbours that together are a piece may merge, in the order of the
// pieces' scores. Merges that say the same become scores; others are refused.
void GgufVocabularyWriter::score_merges() {
  const PieceTable& pieces = parts_->model.pieces;
  scores_.assign(static_cast<size_t>(pieces.size()), 0.0f);
  for (int32_t id = 0; id < pieces.size(); ++id) {
    if (kind_of(id) != static_cast<int32_t>(Kind::normal)) scores_[static_cast<size_t>(id)] = kNoMerge;
  }
  if (!outline_.scores.empty()) {
    std::transform(scores_.begin(), scores_.end(), outline_.scores.begin(), scores_.begin(),
                   [](float mine, float given) { return mine == kNoMerge ? kNoMerge : given; });
  } else {
    int64_t merges = 0;
    float last = 0;
    bool in_order = true;
    std::string joined;
    source_.read_merges([&](std::string_view left, std::string_view right) {
      joined.assign(left);
      joined += right;
      float& score = scores_[static_cast<size_t>(pieces.find(joined))];
      if (score == 0) score = last -= 1;
      in_order = in_order && score == last;
      ++merges;
    });
    if (!in_order || merges != count_score_merges(pieces, scores_)) {
      throw InvalidInput(
          "{}: model.merges: they are not those of a SentencePiece vocabulary (every way to cut a piece in two, piece "
          "after piece), which is all that a GGUF file can hold beside byte_fallback",
          source_.file());
    }
  }
  std::replace(scores_.begin(), scores_.end(), kNoMerge, 0.0f);
}

int32_t GgufVocabularyWriter::kind_of(int32_t id) const {
  const auto kind = [&] {
    if (!parts_->model.pieces.contains(id)) return Kind::unused;
    const bool scored = parts_->model.alphabet == BpeModel::Alphabet::fallback_bytes;
    if (scored && id == parts_->model.unknown_id) return Kind::unknown;
    if (std::binary_search(parts_->special_ids.begin(), parts_->special_ids.end(), id)) return Kind::control;
    if (std::binary_search(added_.begin(), added_.end(), id)) return Kind::user_defined;
    const auto& bytes = parts_->model.byte_ids;
    if (scored && std::find(bytes.begin(), bytes.end(), id) != bytes.end()) return Kind::byte;
    return Kind::normal;
  };
  return static_cast<int32_t>(kind());
}

void GgufVocabularyWriter::write(GgufWriter& writer) const {
  const BpeModel& model = parts_->model;
  const bool scored = pre_.empty();
  writer.text("tokenizer.ggml.model", scored ? "llama" : "gpt2");
  writer.text("tokenizer.ggml.pre", scored ? "default" : pre_);
  writer.array("tokenizer.ggml.tokens", GgufValueType::text, rows_);
  for (int32_t id = 0; id < rows_; ++id) {
    if (model.pieces.contains(id)) {
      writer.element(model.pieces[id]);
    } else {
      writer.element(std::string_view(fmt::format("[PAD{}]", id)));
    }
  }
  if (scored) {
    writer.array("tokenizer.ggml.scores", GgufValueType::f32, rows_);
    for (int32_t id = 0; id < rows_; ++id) {
      writer.element(id < model.pieces.size() ? scores_[static_cast<size_t>(id)] : 0.0f);
    }
  }
  writer.array("tokenizer.ggml.token_type", GgufValueType::i32, rows_);
  for (int32_t id = 0; id < rows_; ++id) writer.element(kind_of(id));
  if (!scored) {
    writer.array("tokenizer.ggml.merges", GgufValueType::text, outline_.merges);
    source_.read_merges([&](std::string_view left, std::string_view right) {
      writer.element(std::string_view(fmt::format("{} {}", left, right)));
    });
  }
  for (const auto& [key, id] : {std::pair{"tokenizer.ggml.bos_token_id", begin_id_},
                                {"tokenizer.ggml.eos_token_id", end_id_},
                                {"tokenizer.ggml.padding_token_id", parts_->pad_id}}) {
    if (id) writer.integer(key, *id);
  }
  if (scored && model.unknown_id >= 0) writer.integer("tokenizer.ggml.unknown_token_id", model.unknown_id);
  writer.boolean("tokenizer.ggml.add_bos_token", !parts_->before.empty());
  writer.boolean("tokenizer.ggml.add_eos_token", !parts_->after.empty());
  if (scored) writer.boolean("tokenizer.ggml.add_space_prefix", leading_space_);
}

}  // namespace headroom
