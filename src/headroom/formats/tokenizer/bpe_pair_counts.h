// The state of BPE training: all different words one after another, the pairs of neighbouring pieces in them, how often
// each pair occurs and where. A merge touches only the places where its pair occurs.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "headroom/formats/tokenizer/word_counter.h"

namespace headroom {

class BpePairCounts {
 public:
  // `byte_ids` gives each byte its id. Throws InvalidInput when tables would take more than `limit_bytes`.
  BpePairCounts(const WordCounter& words, const int32_t (&byte_ids)[256], int64_t limit_bytes);

  struct Pair {
    int64_t count = 0;  // 0: there is no pair any more
    int32_t left = 0;
    int32_t right = 0;
  };
  // Removes the most frequent pair from the queue (of equals the smallest left, then the smallest right).
  Pair pop();
  // Replaces the pair everywhere by `id`, from left to right in each word.
  void merge(const Pair& pair, int32_t id);

 private:
  struct Entry {
    int32_t left = -1;  // -1: a free slot
    int32_t right = -1;
    int64_t count = 0;
    int32_t first = -1;  // the list of places where the pair begins
    int32_t last = -1;
    int32_t merge_seen = 0;  // the number of the merge that last added a place
  };
  // A byte of a word; a piece is kept at its first byte. Between two words lies a place with id kWordEnd.
  struct Place {
    int32_t id;
    int32_t begin;  // at the last byte of a piece: its first
    int32_t length;
    int32_t word;
    int32_t before;  // neighbours in the list of the pair that begins here
    int32_t after;
  };
  struct Less {
    bool operator()(const Pair& a, const Pair& b) const;
  };

  static constexpr int32_t kWordEnd = -1;
  static constexpr int32_t kInside = -2;

  Entry& entry_of(int32_t left, int32_t right);
  void grow();
  void add(int32_t at);
  void remove(int32_t at);
  int32_t next(int32_t at) const { return at + places_[at].length; }
  void check_limit(int64_t more_bytes) const;

  const WordCounter& words_;
  int64_t limit_bytes_;
  std::vector<Place> places_;
  std::vector<Entry> slots_;  // open addressing, linear probing
  size_t used_slots_ = 0;
  int32_t merges_ = 0;
  std::vector<int32_t> positions_;                  // scratch of merge
  std::vector<std::pair<int32_t, int32_t>> grown_;  // pairs that got a place in this merge
  std::priority_queue<Pair, std::vector<Pair>, Less> queue_;
};

}  // namespace headroom
