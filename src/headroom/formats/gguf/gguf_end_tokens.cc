#include "headroom/formats/gguf/gguf_end_tokens.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace headroom {
namespace {

constexpr int64_t kLargestId = int64_t{1} << 24;
constexpr std::string_view kEndList = "tokenizer.ggml.eos_token_ids";
constexpr std::string_view kEndKeys[] = {"tokenizer.ggml.eos_token_id",     "tokenizer.ggml.eot_token_id",
                                         "tokenizer.ggml.eom_token_id",     "tokenizer.ggml.fim_pad_token_id",
                                         "tokenizer.ggml.fim_rep_token_id", "tokenizer.ggml.fim_sep_token_id"};

// llama.cpp, llama-vocab.cpp: ends of turns, of texts and of messages, and what separates files in code.
constexpr std::array<std::string_view, 33> kEndTexts = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",  // DeepSeek's, with U+FF5C and U+2581
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>"};

class EndIds {
 public:
  void add(int64_t id) {
    if (std::find(ids_.begin(), ids_.end(), id) == ids_.end()) ids_.push_back(id);
  }
  void remove(int64_t id) { std::erase(ids_, id); }
  std::vector<int64_t> take() { return std::move(ids_); }

 private:
  std::vector<int64_t> ids_;
};

void add_by_text(const GgufFile& file, EndIds& ends) {
  std::array<int64_t, kEndTexts.size()> found;
  found.fill(-1);
  for (GgufArray tokens(file, "tokenizer.ggml.tokens", true); tokens.next();) {
    const auto* const text = std::find(kEndTexts.begin(), kEndTexts.end(), tokens.text());
    if (text != kEndTexts.end()) found[static_cast<size_t>(text - kEndTexts.begin())] = tokens.index();
  }
  const auto id_of = [&](std::string_view text) {
    return found[static_cast<size_t>(std::find(kEndTexts.begin(), kEndTexts.end(), text) - kEndTexts.begin())];
  };
  for (const int64_t id : found) {
    if (id >= 0) ends.add(id);
  }
  // In vocabularies with these others the first ends a part of a message only.
  const bool has_call = id_of("<|call|>") >= 0 || id_of("<|calls|>") >= 0;
  if (has_call && (id_of("<|return|>") >= 0 || id_of("<|flush|>") >= 0)) ends.remove(id_of("<|end|>"));
  if (id_of("<|tool_response>") >= 0) ends.remove(id_of("</s>"));
}

}  // namespace

std::vector<int64_t> gguf_end_ids(const GgufFile& file) {
  EndIds ends;
  for (const std::string_view key : kEndKeys) {
    if (file.has(key)) ends.add(file.integer(key, 0, kLargestId));
  }
  if (file.has(kEndList)) {
    for (GgufArray ids(file, kEndList, false); ids.next();) {
      if (ids.number() >= 0 && ids.number() <= static_cast<double>(kLargestId))
        ends.add(static_cast<int64_t>(ids.number()));
    }
  }
  if (file.has("tokenizer.ggml.tokens")) add_by_text(file, ends);
  return ends.take();
}

void write_gguf_end_ids(const std::vector<int32_t>& ids, bool first_is_written, GgufWriter& writer) {
  for (size_t i = first_is_written ? 1 : 0; i < std::min<size_t>(ids.size(), 3); ++i) {
    writer.integer(kEndKeys[i], ids[i]);
  }
  if (ids.size() < 2) return;
  writer.array(kEndList, GgufValueType::i32, static_cast<int64_t>(ids.size()));
  for (const int32_t id : ids) writer.element(id);
}

}  // namespace headroom
