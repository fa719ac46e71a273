#include "headroom/formats/tokenizer/word_counter.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

WordCounter::WordCounter(int64_t limit_bytes) : limit_bytes_(limit_bytes), slots_(4096, -1) {}

int64_t WordCounter::allocated_bytes() const {
  return static_cast<int64_t>(text_.capacity() + words_.capacity() * sizeof(Word) +
                              slots_.capacity() * sizeof(int32_t));
}

size_t WordCounter::slot_of(std::string_view searched) const {
  size_t slot = hash_to_range(hash_bytes(searched), slots_.size());
  while (slots_[slot] >= 0 && word(slots_[slot]) != searched) slot = slot + 1 == slots_.size() ? 0 : slot + 1;
  return slot;
}

void WordCounter::grow() {
  slots_.assign(2 * slots_.size(), -1);
  for (int32_t index = 0; index < size(); ++index) slots_[slot_of(word(index))] = index;
}

void WordCounter::bytes(std::string_view invalid) {
  end_piece();
  word_ = invalid;
  end_piece();
}

void WordCounter::end_piece() {
  if (word_.empty()) return;
  size_t slot = slot_of(word_);
  if (slots_[slot] < 0) {
    // A vector that grows holds its old and its new table for a moment.
    if (2 * allocated_bytes() > limit_bytes_ || text_.size() + word_.size() > INT32_MAX) {
      throw InvalidInput(
          "the text has more than {} different words, too many for {} of memory; try less text, or a larger limit",
          format_count(size()), format_bytes(limit_bytes_));
    }
    if (words_.size() * 4 > slots_.size() * 3) {
      grow();
      slot = slot_of(word_);
    }
    slots_[slot] = static_cast<int32_t>(words_.size());
    words_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(word_.size()), 0});
    text_.insert(text_.end(), word_.begin(), word_.end());
  }
  ++words_[slots_[slot]].count;
  word_.clear();
}

}  // namespace headroom
