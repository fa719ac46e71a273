// How rows over the vocabulary are cut: tiles of columns at absolute positions define the sums (docs/arithmetic.md);
// blocks of tokens only bound the scratch of the loss head.
#pragma once

#include <algorithm>
#include <cstdint>

#include "headroom/backend/matmul_blocks.h"
#include "headroom/base/bytes.h"
#include "headroom/base/dtype.h"

namespace headroom {

inline constexpr int64_t kVocabularyTile = 4096;
inline constexpr int64_t kTokenBlock = 512;

// Scratch of linear_cross_entropy and its backward, in this order: the packing of products, a block of logits
// [kTokenBlock, tile], one f32 a token of the block. 64 MiB bound it for any model up to 100 threads. Behind it, for
// the backward where x has 16 bits, the f32 chains of a block of dx.
struct LossScratch {
  int64_t logits_stride = 0;  // elements; padded, so that rows do not fall into the same cache sets
  int64_t logits_bytes = 0;
  int64_t row_bytes = 0;

  LossScratch(int64_t tokens, int64_t vocabulary)
      : logits_stride(round_up(std::min(vocabulary, kVocabularyTile), 16) + 16),
        logits_bytes(std::min(tokens, kTokenBlock) * logits_stride * 4),
        row_bytes(round_up(std::min(tokens, kTokenBlock) * 4, 64)) {}
  int64_t bytes(int threads) const { return product_scratch_bytes(threads) + logits_bytes + row_bytes; }
  static int64_t rounded_bytes(int64_t tokens, int64_t features) {
    return round_up(std::min(tokens, kTokenBlock) * features * 4, 64);
  }
};

// linear_cross_entropy_with_gradients keeps the logits of a block of tokens over the whole vocabulary: as many tokens
// as kLogitsBlockBytes hold, at most kTokenBlock, all blocks about equally long.
inline constexpr int64_t kLogitsBlockBytes = 64 * kMiB;

// Scratch of that op, in this order: the packing of products, and where x has 16 bits their f32 blocks of dx; the block
// of logits [tokens, stride], or in its place, for the reference, one f32 a token.
struct LogitsBlockScratch {
  int64_t stride = 0;  // elements; padded, so that rows do not fall into the same cache sets
  int64_t tokens = 0;
  int64_t block_bytes = 0;

  [[gnu::always_inline]] LogitsBlockScratch(int64_t all_tokens, int64_t vocabulary)
      : stride(round_up(vocabulary, 16) + 16) {
    const int64_t most = std::clamp<int64_t>(kLogitsBlockBytes / (stride * 4), 16, kTokenBlock);
    const int64_t blocks = (all_tokens + most - 1) / most;
    tokens = round_up((all_tokens + blocks - 1) / blocks, 2);  // pairs of bf16 are not cut
    block_bytes = round_up(std::max(tokens * stride, all_tokens) * 4, 64);
  }
  // What comes before the logits.
  int64_t product_bytes(int threads, DType x, int64_t features) const {
    return product_scratch_bytes(threads) + (x == DType::f32 ? 0 : threads * rounded_product_bytes(tokens, features));
  }
  int64_t bytes(int threads, DType x, int64_t features) const {
    return product_bytes(threads, x, features) + block_bytes;
  }
};

}  // namespace headroom
