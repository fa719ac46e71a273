// The different words of a text and how often each occurs: the end of a chain of stages, in flat tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

class WordCounter : public TextStage {
 public:
  // Throws InvalidInput when the tables would take more than `limit_bytes`.
  explicit WordCounter(int64_t limit_bytes);

  void text(std::string_view fragment) override { word_ += fragment; }
  void end_piece() override;
  void bytes(std::string_view invalid) override;
  void token(int32_t) override {}

  // Words are numbered in the order of their first appearance.
  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  std::string_view word(int64_t index) const { return {text_.data() + words_[index].start, words_[index].length}; }
  int64_t count(int64_t index) const { return words_[index].count; }
  // The length of all words together.
  int64_t text_bytes() const { return static_cast<int64_t>(text_.size()); }
  int64_t allocated_bytes() const;

 private:
  struct Word {
    uint32_t start;
    uint32_t length;
    int64_t count;
  };
  size_t slot_of(std::string_view word) const;
  void grow();

  int64_t limit_bytes_;
  std::string word_;
  std::vector<char> text_;
  std::vector<Word> words_;
  std::vector<int32_t> slots_;  // open addressing, linear probing; -1 is free
};

}  // namespace headroom
