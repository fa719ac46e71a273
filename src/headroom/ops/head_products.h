// Products head by head with parts of one weight: how multi-head latent attention (DeepSeek-AI 2024, arXiv 2405.04434,
// section 2.1) moves queries into the space of the latents, and what they attended out of it. Each head's rows of the
// weight are those that make its keys, then those that make its values; here some of them take part.
//   T tokens, H heads, W rows of the weight a head, P of them that take part, L features of a latent, R of a tail
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct HeadProducts {
  int64_t heads = 0;       // H
  int64_t first = 0;       // of the P rows among the head's W
  int64_t rows = 0;        // P
  int64_t tail = 0;        // R
  bool to_latents = true;  // otherwise out of them
};

// Of each head, w its P rows [P, L] of the weight [H*W, L]; x f32 (bf16, f16):
//   to latents:      x [T, H*(P+R)] -> y [T, H*(L+R)]: x's first P features times w, then its R others as they are;
//                    of x [T, H*P] the R others are 0
//   out of latents:  x [T, H*X], X >= L+R -> y [T, H*(P+R)]: x's first L features times w transposed, then the R behind
//                    them as they are
// Each element is a chain as matmul's, ascending over P or L.
ValueId head_products(Builder& build, ValueId x, ValueId weight, const HeadProducts& settings);

}  // namespace headroom
