// What a LoRA adapter adds to a linear layer (Hu et al. 2021, arXiv 2106.09685, section 4.1):
//   y + scale * (dropout(x) A^T) B^T,  A [r, I], B [O, r]
// and how PEFT calls the two matrices.
#pragma once

#include <string>
#include <string_view>

#include "headroom/ops/dropout.h"

namespace headroom {

// A linear layer with an adapter.
struct LoraLayer {
  std::string weight;   // of the layer, [O, I]: "model.layers.0.self_attn.q_proj.weight"
  int64_t outputs = 0;  // O
  int64_t inputs = 0;   // I
  int64_t rank = 0;     // r
  double scale = 1;     // alpha / r
  uint64_t stream = 0;  // of the numbers that a new A starts as: which of the adapter's layers it is
};

// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": as graph inputs and in PEFT's files.
std::string lora_a_name(std::string_view weight);
std::string lora_b_name(std::string_view weight);
// Of the numbers that DoRA scales the rows of that weight to.
std::string lora_magnitude_name(std::string_view weight);

// Dropout of x: which rows of the batch it holds, and the share left out.
struct LoraDropout {
  ValueId random_key = kNoValue;
  ValueId rows = kNoValue;  // i32[2]
  double rate = 0;          // 0: none, and the two above are not needed
};

// Declares A and B, trained, and appends the nodes. A new adapter begins as PEFT's do: A uniform within +-1/sqrt(I)
// (Kaiming's rule with a = sqrt(5)), B zero. x f32[T, I], y f32[T, O] -> f32[T, O]: the product is a value of its own,
// so that all of it can be computed again.
ValueId add_lora(Builder& build, ValueId x, ValueId y, const LoraLayer& layer, const LoraDropout& dropout);

}  // namespace headroom
