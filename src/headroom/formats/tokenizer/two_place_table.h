// A hash table whose look-ups cost the same whatever is in it: an entry lies in one of two buckets of four that its
// hash names (cuckoo hashing: Pagh and Rodler 2001; with buckets: Dietzfelbinger and Weidling 2007). A vocabulary made
// so that its keys collide cannot make anything slow: it finds no place and is refused. At the load of 0.75 that
// slots_for gives, keys that nobody chose find a place (a chance of 10^-12 against it in tables of fifty, and less in
// larger ones).
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

// Entry says when it is a free place: is_free(); a default Entry is one.
template <class Entry>
class TwoPlaceTable {
 public:
  explicit TwoPlaceTable(int64_t entries) : buckets_(slots_for(entries) / kBucket) {}
  static int64_t bytes_for(int64_t entries) { return slots_for(entries) * static_cast<int64_t>(sizeof(Entry)); }

  // The entry of this hash that `is_searched`, or null.
  template <class IsSearched>
  const Entry* find(uint64_t hash, const IsSearched& is_searched) const {
    for (const size_t place : places_of(hash)) {
      for (const Entry& entry : buckets_[place]) {
        if (entry.is_free()) return nullptr;  // buckets fill up from the front, and the second place after the first
        if (is_searched(entry)) return &entry;
      }
    }
    return nullptr;
  }
  template <class IsSearched>
  Entry* find(uint64_t hash, const IsSearched& is_searched) {
    return const_cast<Entry*>(std::as_const(*this).find(hash, is_searched));
  }

  // Of a key that is not there yet. `hash_of` gives the hash of any entry. False if there is no place, and then the
  // table must not be used any more: some entry has lost its own.
  template <class HashOf>
  [[nodiscard]] bool add(Entry entry, const HashOf& hash_of) {
    constexpr int kMostMoves = 500;
    std::array<size_t, 2> places = places_of(hash_of(entry));
    size_t place = places[0];
    for (int move = 0; move < kMostMoves; ++move) {
      for (const size_t free_place : places) {
        for (Entry& slot : buckets_[free_place]) {
          if (!slot.is_free()) continue;
          slot = std::move(entry);
          return true;
        }
      }
      // Both are full: take the place of one of them, which goes to its other bucket.
      std::swap(entry, buckets_[place][move / 2 % kBucket]);
      places = places_of(hash_of(entry));
      place = places[0] == place ? places[1] : places[0];
    }
    return false;
  }

 private:
  static constexpr int64_t kBucket = 4;
  static constexpr int64_t slots_for(int64_t entries) {
    return (entries + entries / 3 + 64 + kBucket - 1) / kBucket * kBucket;
  }

  // Two different ones.
  std::array<size_t, 2> places_of(uint64_t hash) const {
    const uint64_t count = buckets_.size();
    const uint64_t first = (hash >> 32) * count >> 32;
    const uint64_t second = first + 1 + ((hash & 0xFFFFFFFF) * (count - 1) >> 32);
    return {first, second < count ? second : second - count};
  }

  std::vector<std::array<Entry, kBucket>> buckets_;
};

}  // namespace headroom
