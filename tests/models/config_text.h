// Configs for tests, from JSON text; and the sentence with which one is refused.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/model.h"

namespace headroom::testing {

using Json = nlohmann::ordered_json;

// A small model of that architecture with `changes` made to its config; null takes a field away.
inline JsonObject small_config(const char* architecture, const Json& changes = Json::object()) {
  Json config = {{"architectures", {architecture}},
                 {"vocab_size", 64},
                 {"hidden_size", 32},
                 {"intermediate_size", 40},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2},
                 {"rms_norm_eps", 1e-6},
                 {"max_position_embeddings", 128},
                 {"hidden_act", "silu"},
                 {"torch_dtype", "float32"}};
  for (const auto& [key, value] : changes.items()) {
    if (value.is_null()) {
      config.erase(key);
    } else {
      config[key] = value;
    }
  }
  return JsonObject::of(config, "config.json");
}

inline JsonObject llama(const Json& changes = Json::object()) { return small_config("LlamaForCausalLM", changes); }
inline JsonObject qwen2(const Json& changes = Json::object()) { return small_config("Qwen2ForCausalLM", changes); }

// What make_model says about a config that it must refuse.
inline std::string refusal(const JsonObject& config) {
  try {
    make_model(config);
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

inline std::vector<std::string> parameter_names(const Model& model) {
  std::vector<std::string> names;
  for (const Parameter& parameter : model.parameters()) names.push_back(parameter.name);
  return names;
}

}  // namespace headroom::testing
