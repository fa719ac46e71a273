// The merges of a BPE model: (left, right) -> rank and result. One flat array, 16 bytes / 0.75 a merge.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/formats/hash.h"

namespace headroom {

struct Merge {
  int32_t left = -1;
  int32_t right = -1;
  int32_t rank = 0;  // lower is applied first
  int32_t result = 0;
};

class MergeTable {
 public:
  explicit MergeTable(int64_t merges) : slots_(hash_slots_for(merges)) {}
  static int64_t bytes_for(int64_t merges) { return hash_slots_for(merges) * static_cast<int64_t>(sizeof(Merge)); }

  // At most as many as promised. A pair that is there already takes the new rank, as the tokenizers library has it.
  void add(const Merge& merge) { slots_[slot_of(merge.left, merge.right)] = merge; }

  // Null if the pair does not merge.
  const Merge* find(int32_t left, int32_t right) const {
    const Merge& found = slots_[slot_of(left, right)];
    return found.left < 0 ? nullptr : &found;
  }

 private:
  size_t slot_of(int32_t left, int32_t right) const {
    size_t slot = hash_to_range(mix_bits(pair_key(left, right)), slots_.size());
    while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) {
      slot = slot + 1 == slots_.size() ? 0 : slot + 1;
    }
    return slot;
  }

  std::vector<Merge> slots_;  // open addressing, linear probing; left < 0 is free
};

}  // namespace headroom
