// The llama family (Touvron et al. 2023) as DeepSeek-LLM, -Coder, -Math and R1-Distill-Llama use it (arXiv 2401.02954,
// 2401.14196, 2402.03300, 2501.12948).
#pragma once

#include "headroom/models/decoder.h"

namespace headroom {

struct LlamaConfig : DecoderConfig {
  bool attention_bias = false;  // of q, k, v and o
  bool mlp_bias = false;        // of gate, up and down
};

std::unique_ptr<Model> make_llama(const LlamaConfig& config);

}  // namespace headroom
