// The ids of words that were encoded lately. Most words of a text are few different ones, and finding a word here costs
// a fraction of building it from merges. Of fixed size: a word takes the place that its hash names, and whatever word
// was there is forgotten.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

// The text of a short word, padded so that two are compared as four numbers.
class ShortWord {
 public:
  static constexpr size_t kMaxBytes = 31;

  bool empty() const { return size() == 0; }
  size_t size() const { return static_cast<uint8_t>(bytes_[kMaxBytes]); }
  std::string_view text() const { return {bytes_.data(), size()}; }
  bool has_room_for(size_t bytes) const { return bytes <= kMaxBytes - size(); }
  void append(std::string_view bytes) {
    std::memcpy(bytes_.data() + size(), bytes.data(), bytes.size());
    bytes_[kMaxBytes] = static_cast<char>(size() + bytes.size());
  }
  void clear() { bytes_ = {}; }

  bool operator==(const ShortWord& other) const { return numbers() == other.numbers(); }
  uint64_t hash() const {
    const std::array<uint64_t, 4> parts = numbers();
    return mix_bits(mix_bits(parts[0] * 3 + parts[1]) + mix_bits(parts[2] * 3 + parts[3]));
  }

 private:
  std::array<uint64_t, 4> numbers() const { return std::bit_cast<std::array<uint64_t, 4>>(bytes_); }

  alignas(8) std::array<char, kMaxBytes + 1> bytes_{};  // zeros behind the text; the last byte is its size
};

class WordCache {
 public:
  // 512 KiB.
  WordCache() : entries_(8192) {}

  // The ids of `word`; empty if it is not here.
  std::span<const int32_t> find(const ShortWord& word) const {
    const Entry& entry = entries_[place_of(word)];
    if (!(entry.word == word)) return {};
    return {entry.ids.data(), static_cast<size_t>(entry.count)};
  }

  // A word of more ids than are kept for one is left out, and so is one of none.
  void add(const ShortWord& word, std::span<const int32_t> ids) {
    Entry& entry = entries_[place_of(word)];
    if (ids.size() > entry.ids.size() || ids.empty()) return;
    entry.word = word;
    entry.count = static_cast<int32_t>(ids.size());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  struct alignas(64) Entry {
    ShortWord word;
    int32_t count = 0;
    std::array<int32_t, 7> ids{};
  };

  size_t place_of(const ShortWord& word) const { return hash_to_range(word.hash(), entries_.size()); }

  std::vector<Entry> entries_;
};

}  // namespace headroom
