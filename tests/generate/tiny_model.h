// A small random llama in memory, and jobs of one list of graphs over it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "headroom/models/llama.h"
#include "headroom/runtime/workspace.h"

namespace headroom::testing {

// Two layers, four heads on two of keys and values; a vocabulary of more than one tile of the log-sum-exp.
LlamaConfig tiny_config(bool tied_embeddings = true, DType dtype = DType::f32);

// Plans the graphs, and fills their weights: the same numbers for the same parameter of any list of graphs.
std::unique_ptr<Workspace> make_workspace(const Model& model, std::vector<Graph> graphs, int threads = 1,
                                          const Backend& backend = choose_backend());

// `count` ids of the tiny vocabulary, the same ones each time.
std::vector<int32_t> some_ids(int64_t count);

}  // namespace headroom::testing
