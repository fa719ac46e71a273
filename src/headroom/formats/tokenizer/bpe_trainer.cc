#include "headroom/formats/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/tokenizer/bpe_pair_counts.h"
#include "headroom/formats/tokenizer/byte_alphabet.h"
#include "headroom/formats/tokenizer/pretokenizer.h"
#include "headroom/formats/tokenizer/regex_splitter.h"
#include "headroom/formats/tokenizer/utf8_gate.h"
#include "headroom/formats/tokenizer/word_counter.h"

namespace headroom {

struct BpeTrainer::Intake {
  explicit Intake(int64_t limit_bytes)
      : words(limit_bytes),
        splitter(std::string(kGpt2Words), "BPE training"),
        stage(splitter.make_stage(words)),
        gate(*stage) {}

  WordCounter words;
  RegexSplitter splitter;
  std::unique_ptr<TextStage> stage;
  Utf8Gate gate;
};

BpeTrainer::BpeTrainer(BpeTrainingOptions options)
    : options_(std::move(options)), intake_(std::make_unique<Intake>(options_.memory_limit_bytes)) {
  const auto& special = options_.special_tokens;
  if (options_.vocab_size < static_cast<int64_t>(256 + special.size()) || options_.vocab_size > 1 << 20) {
    throw InvalidInput("a vocabulary of {} pieces; expected {} (256 bytes and {} special tokens) to {}",
                       options_.vocab_size, 256 + special.size(), special.size(), 1 << 20);
  }
  for (size_t i = 0; i < special.size(); ++i) {
    // One character could be a letter of the byte alphabet, and would then stand for two things.
    if (special[i].size() < 2 || std::count(special.begin(), special.end(), special[i]) > 1) {
      throw InvalidInput("the special token \"{}\" is repeated or shorter than two characters", special[i]);
    }
  }
}

BpeTrainer::~BpeTrainer() = default;

void BpeTrainer::text(std::string_view bytes) { intake_->gate.text(bytes); }

void BpeTrainer::end_text() { intake_->gate.end_text(); }

void BpeTrainer::add_file(const std::string& path, const std::function<void(int64_t)>& progress) {
  const File file = File::open(path);
  std::vector<char> buffer(65536);
  int64_t offset = 0;
  while (const int64_t size = file.read_some(offset, buffer.data(), static_cast<int64_t>(buffer.size()))) {
    text({buffer.data(), static_cast<size_t>(size)});
    offset += size;
    if (progress) progress(offset);
  }
  end_text();
}

TrainedBpe BpeTrainer::train(const std::function<void(int32_t, int32_t)>& progress) {
  const WordCounter& words = intake_->words;
  if (words.size() == 0) throw InvalidInput("there is no text to train a tokenizer on");
  TrainedBpe trained;
  trained.special_tokens = options_.special_tokens;
  trained.pieces = options_.special_tokens;
  std::array<int, 256> bytes;
  for (int byte = 0; byte < 256; ++byte) bytes[byte] = byte;
  const auto letter = [](int byte) { return letter_of_byte(static_cast<uint8_t>(byte)); };
  std::sort(bytes.begin(), bytes.end(), [&](int a, int b) { return letter(a) < letter(b); });
  int32_t byte_ids[256];
  std::unordered_map<std::string, int32_t> ids;
  for (const int byte : bytes) {
    byte_ids[byte] = static_cast<int32_t>(trained.pieces.size());
    trained.pieces.emplace_back(1, static_cast<char>(byte));
    ids.emplace(trained.pieces.back(), byte_ids[byte]);
  }

  BpePairCounts pairs(words, byte_ids, options_.memory_limit_bytes);
  while (static_cast<int32_t>(trained.pieces.size()) < options_.vocab_size) {
    if (progress && trained.merges.size() % 64 == 0) {
      progress(static_cast<int32_t>(trained.pieces.size()), options_.vocab_size);
    }
    const BpePairCounts::Pair best = pairs.pop();
    if (best.count < std::max<int64_t>(1, options_.min_count)) break;
    std::string piece = trained.pieces[best.left] + trained.pieces[best.right];
    const auto [known, is_new] = ids.emplace(piece, static_cast<int32_t>(trained.pieces.size()));
    if (is_new) trained.pieces.push_back(std::move(piece));
    trained.merges.emplace_back(best.left, best.right);
    pairs.merge(best, known->second);
  }
  if (progress) progress(static_cast<int32_t>(trained.pieces.size()), options_.vocab_size);
  return trained;
}

}  // namespace headroom
