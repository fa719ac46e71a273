// GPTQ (Frantar et al. 2022): codes for a layer's weight, column after column, each making good in the columns that
// follow what the ones before it have lost.
//   N outputs, K inputs of the layer
#pragma once

#include "headroom/graph/builder.h"
#include "headroom/ops/factor_gram.h"

namespace headroom {

struct QuantizedByGram {
  ValueId weight;  // [N, K] in the format of `target`, in its storage
  ValueId losses;  // f32[N]: of each row, what is lost: (w - q) (G + lambda I) (w - q)^T
};

struct GptqSettings {
  int64_t search = 1;  // grids that are tried for a group
  int64_t sweeps = 0;  // of refinement
};

// weight [N, K] in f32, bf16 or f16; `target` [N, K] in a grouped format, which is only written. In the columns' order,
//   w'_k = w_k + sum over j < k of (w_j - q_j) U_jk,   q_k = w'_k on the grid of its group,
// which is GPTQ's update (factor_gram.h). A group's grid is found when its first column comes, of the weights as GPTQ
// has them then: where `search` is 1 as encode() has it (base/grouped_format.h), otherwise the best of so many that
// shrink by 2 % each, by the squares of what is rounded times d.
//
// `pull`: f32[N, K], kNoValue for none. Where the layer's inputs x are no longer those x0 that it had in the whole
// model, codes are chosen for what best gives x0 w^T again, which is w + pull (G + lambda I)^-1, pull = (sum of (x0 -
// x)^T x over tokens) times w: the correction of Qronos (Zhang et al. 2025) and GPTAQ (Li et al. 2025) in closed form.
//
// Each sweep goes through the columns once more: coordinate descent on the loss, which no step makes larger. Of each
// group of 128 columns or less the scale that is best for its codes, as they are; then of each column the code that is
// best beside all others.
QuantizedByGram gptq(Builder& build, ValueId weight, const FactoredGram& gram, ValueId target,
                     const GptqSettings& settings, ValueId pull = kNoValue);

// f32[N]: (w - q) (G + lambda I) (w - q)^T of each row, the loss of any `quantized` [N, K]; without it, the rows' own.
ValueId gram_losses(Builder& build, ValueId weight, const FactoredGram& gram, ValueId quantized = kNoValue);

}  // namespace headroom
