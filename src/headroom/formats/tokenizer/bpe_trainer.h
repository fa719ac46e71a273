// Makes a byte-level BPE tokenizer from text (Sennrich et al. 2016; words as GPT-2 cuts them): again and again the most
// frequent pair of neighbouring pieces becomes a piece.
//
// Deterministic: of pairs that are equally frequent the one with the smaller left id, then the smaller right id, is
// taken; ids are special tokens first, then the byte alphabet in the order of its letters, then the merges. The result
// is that of the tokenizers library's trainer, except where one piece can be built by two merges (the library then
// misses some pairs that its queue has lost).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headroom {

struct BpeTrainingOptions {
  int32_t vocab_size = 4096;  // special tokens and the 256 bytes included
  std::vector<std::string> special_tokens = {"<s>", "</s>", "<pad>"};
  int64_t min_count = 2;  // pairs that are rarer are not merged; the vocabulary may then stay smaller
  int64_t memory_limit_bytes = int64_t{128} << 20;
};

struct TrainedBpe {
  std::vector<std::string> special_tokens;
  std::vector<std::string> pieces;  // by id; in bytes, not in the byte alphabet
  std::vector<std::pair<int32_t, int32_t>> merges;
};

class BpeTrainer {
 public:
  // Throws InvalidInput for a vocabulary below 256 + special tokens or special tokens that are empty or repeated.
  explicit BpeTrainer(BpeTrainingOptions options);
  ~BpeTrainer();

  // A text in fragments of any size, then its end. Bytes that are not UTF-8 count as words of their own. Throws
  // InvalidInput when there are more different words than the memory limit holds.
  void text(std::string_view bytes);
  void end_text();
  // A whole file as one text, read in steps of 64 KiB.
  void add_file(const std::string& path, const std::function<void(int64_t done_bytes)>& progress = nullptr);

  // Once, after the last text; throws InvalidInput if there was none, or too much. `progress(pieces, vocab_size)` is
  // called now and then.
  TrainedBpe train(const std::function<void(int32_t pieces, int32_t vocab_size)>& progress = {});

 private:
  struct Intake;
  BpeTrainingOptions options_;
  std::unique_ptr<Intake> intake_;
};

// Names for the roles of special tokens; an empty one is left out. bos_token is put before each text that is encoded
// with special tokens.
struct TokenRoles {
  std::string bos_token = "<s>";
  std::string eos_token = "</s>";
  std::string pad_token = "<pad>";
};

// Writes tokenizer.json and tokenizer_config.json, as the libraries tokenizers and transformers load them, each
// atomically. `directory` must exist. Throws InvalidInput for a role that is no special token.
void write_tokenizer(const TrainedBpe& trained, const TokenRoles& roles, const std::string& directory);

}  // namespace headroom
