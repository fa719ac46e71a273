// The tiles of attention: the absolute blocks of its definition, and the scratch of its kernels.
//   D head size, Dp D rounded up to 16.
#pragma once

#include <cstdint>

#include "headroom/base/bytes.h"

namespace headroom {

// Keys are taken in blocks, and blocks in spans, at absolute positions of their sequence: part of the definition.
inline constexpr int64_t kKeyBlock = 64;
inline constexpr int64_t kKeySpan = 1024;
// Rows (pairs of a query and a head of its group) that share a packed block of keys.
inline constexpr int64_t kRowTile = 128;
// Of these, the rows whose scores are alive at once: a few of the products' rows (6).
inline constexpr int64_t kAttentionChunk = 24;
inline constexpr int64_t kMaxHeadSize = 1024;

inline int64_t padded_head_size(int64_t head_size) { return round_up(head_size, 16); }

// f32 elements of one thread's scratch, a multiple of 16.
// Forward: keys [D, 64] and values [64, Dp] of a block; q, the span's output and the merged output [128, Dp]; scores
// [24, 64]; largest score and sum of the span and of all, one number a row each.
inline int64_t attention_scratch_elements(int64_t head_size) {
  const int64_t padded = padded_head_size(head_size);
  return kKeyBlock * (head_size + padded + kAttentionChunk) + kRowTile * (3 * padded + 4);
}

// Few queries against many keys, as in decoding: the sequences' rows are about a tile's at most, and so it is the spans
// of keys that threads divide.
inline bool attention_splits_spans(int64_t queries, int64_t keys, int64_t group, int64_t sequence_count) {
  constexpr int64_t kFewRows = 64;
  return queries * group <= kFewRows * sequence_count && 2 * queries <= keys;
}

// What the forward's threads share then, behind the scratch of each: the partial results of each span, [Dp + 2] a row;
// of each sequence and key head the spans that are done, i32.
struct AttentionShared {
  AttentionShared(int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads, int64_t head_size,
                  int64_t sequence_count) {
    if (!attention_splits_spans(queries, keys, heads / kv_heads, sequence_count)) return;
    rows = queries * heads;
    spans = (keys + kKeySpan - 1) / kKeySpan;
    partials = spans * rows * (padded_head_size(head_size) + 2);
    counters = sequence_count * kv_heads;
  }
  int64_t elements() const { return partials + counters; }
  int64_t rows = 0;  // pairs of a query and a head
  int64_t spans = 0;
  int64_t partials = 0;
  int64_t counters = 0;
};

// Backward: keys and values [D, 64], keys, dk and dv [64, Dp]; q, dout and dq [128, Dp]; p and ds [128, 64]. Where the
// operands have 16 bits also: q and dout of a chunk [24, Dp], the sums of dk and dv over the heads of a group [64, Dp].
inline int64_t attention_backward_scratch_elements(int64_t head_size, bool rounds) {
  const int64_t padded = padded_head_size(head_size);
  return kKeyBlock * (2 * head_size + 3 * padded) + kRowTile * (3 * padded + 2 * kKeyBlock) +
         (rounds ? 2 * padded * (kAttentionChunk + kKeyBlock) : 0);
}

// What the backward's threads share, behind the scratch of each: where the operands have 16 bits, the chains of dq
// f32[T, H, Dp]; delta f32[T, H]; of each sequence and key head the
// next block of keys that nobody has taken; of each tile of queries (a sequence's first is whole) and head the blocks
// that its dq holds. Counters are i32.
struct AttentionBackwardShared {
  AttentionBackwardShared(int64_t rows, int64_t heads, int64_t kv_heads, int64_t head_size, int64_t sequence_count,
                          bool rounds)
      : chains(rounds ? rows * heads * padded_head_size(head_size) : 0),
        deltas(rows * heads),
        blocks(sequence_count * kv_heads),
        tiles((rows / kRowTile + sequence_count) * heads) {}
  int64_t elements() const { return chains + deltas + blocks + tiles; }
  int64_t chains;
  int64_t deltas;
  int64_t blocks;
  int64_t tiles;
};

}  // namespace headroom
