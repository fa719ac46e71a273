// The merges of a BPE model: (left, right) -> rank and result. One flat array, 16 bytes / 0.75 a merge.
#pragma once

#include <cstdint>

#include "headroom/formats/tokenizer/two_place_table.h"

namespace headroom {

struct Merge {
  int32_t left = -1;
  int32_t right = -1;
  int32_t rank = 0;  // lower is applied first
  int32_t result = 0;

  bool is_free() const { return left < 0; }
};

class MergeTable {
 public:
  explicit MergeTable(int64_t merges) : merges_(merges) {}
  static int64_t bytes_for(int64_t merges) { return TwoPlaceTable<Merge>::bytes_for(merges); }

  // At most as many as promised. A pair that is there already takes the new rank, as the tokenizers library has it.
  // False if the pair collides with too many others (two_place_table.h); the table is of no use then.
  [[nodiscard]] bool add(const Merge& merge) {
    Merge* known = merges_.find(hash_of(merge), Same{merge.left, merge.right});
    if (known == nullptr) return merges_.add(merge, hash_of);
    *known = merge;
    return true;
  }

  // Null if the pair does not merge.
  const Merge* find(int32_t left, int32_t right) const {
    return merges_.find(mix_bits(pair_key(left, right)), Same{left, right});
  }

 private:
  struct Same {
    int32_t left;
    int32_t right;
    bool operator()(const Merge& merge) const { return merge.left == left && merge.right == right; }
  };
  static uint64_t hash_of(const Merge& merge) { return mix_bits(pair_key(merge.left, merge.right)); }

  TwoPlaceTable<Merge> merges_;
};

}  // namespace headroom
