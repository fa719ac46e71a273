// What weights decide where config.json leaves it open or is wrong, as transformers reads such directories.
#pragma once

#include <string>

#include "headroom/formats/json/json_object.h"

namespace headroom {

// `config` with
//   torch_dtype          where it names no dtype: that of the checkpoint's first parameter, the embedding;
//   tie_word_embeddings  false where it says true, but the weights at `path` hold an output layer that differs from the
//                        embedding.
// Throws as make_model and WeightFiles do. Weights are opened only where there is something to decide; they may lack
// anything (check_weights tells).
JsonObject settle_config(const JsonObject& config, const std::string& path);

}  // namespace headroom
