// What is in a model, a checkpoint, an adapter, a tokenizer or a file of weights.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace headroom {

// `path` is a directory of a model, a checkpoint or an adapter, a config.json, an adapter_config.json, a tokenizer.json
// or a file of weights. Members, where there is something to say: "model", "checkpoint", "adapter", "tokenizer",
// "weights" and "optimizer" (docs/cli.md). Reads no tensor. Throws InvalidInput for what is none of these or damaged.
nlohmann::ordered_json inspect(const std::string& path, bool ignore_unknown_fields);

}  // namespace headroom
