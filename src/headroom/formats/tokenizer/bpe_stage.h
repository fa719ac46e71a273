// The end of the chain: builds each piece of text (a word) from its characters by merges, lowest rank first, leftmost
// first (Sennrich et al. 2016), and hands out the ids.
//
// What a word becomes depends on the word alone, so the ids of short words are remembered (WordCache). Where a text is
// not cut into words before (llama: one word a text), it is cut here wherever no merge can reach across (JoinedPairs),
// which leaves the ids as they are.
//
// A word of any length takes the same memory: one that is longer than kMaxWordSymbols is cut at the last such
// place. A word with no such place in kMaxWordSymbols
// symbols (say, 16 KiB of one letter) is cut at the end of that stretch: its ids may then differ from an encoder that
// holds it whole; the text they stand for does not.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "headroom/formats/tokenizer/bpe_model.h"
#include "headroom/formats/tokenizer/text_stage.h"
#include "headroom/formats/tokenizer/word_cache.h"

namespace headroom {

// Receives ids in order, some at a time. The span is not kept.
using TokenSink = std::function<void(std::span<const int32_t> ids)>;

class BpeStage : public TextStage {
 public:
  static constexpr int32_t kMaxWordSymbols = 16384;

  BpeStage(const BpeModel& model, const JoinedPairs& joined);
  void set_sink(const TokenSink* sink) { sink_ = sink; }

  void text(std::string_view fragment) override;
  void end_piece() override;
  void bytes(std::string_view invalid) override;
  void token(int32_t id) override;

 private:
  struct Symbol {
    int32_t id;  // -1: merged into its left neighbour
    int32_t left;
    int32_t right;  // -1 at the ends
  };
  struct Candidate {
    int32_t rank;
    int32_t at;  // the left symbol
    int32_t result;
  };

  void add_to_word(std::string_view text);
  void end_word();
  void add_symbols(std::string_view text);
  void add_symbol(int32_t id);
  void add_character(std::string_view character);
  void cut_full_word();
  // Encodes the first `count` symbols as a word and removes them.
  void encode_first(size_t count);
  bool take_whole_word(size_t count);
  void merge_by_scanning(size_t count);
  void merge_by_heap(size_t count);
  void push_candidate(int32_t at);
  void join(int32_t at, int32_t result);
  const Merge* merge_at(int32_t at) const;

  const BpeModel& model_;
  const JoinedPairs& joined_;
  const TokenSink* sink_ = nullptr;
  const bool cuts_words_;
  static constexpr char32_t kNoCode = 0xFFFFFFFF;
  char32_t last_code_ = kNoCode;  // of the piece of text so far, if words are cut
  ShortWord word_;                // the word so far; once it is longer, in symbols_
  WordCache cache_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::vector<int32_t> ids_;  // of the word encoded last
  std::string whole_word_;
};

}  // namespace headroom
