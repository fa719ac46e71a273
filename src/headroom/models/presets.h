// Models by name: the shapes that DeepSeek released, and small ones for a laptop.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "headroom/formats/json/json_object.h"

namespace headroom {

// The dimensions in which models of one family differ.
struct PresetSize {
  int64_t vocabulary, features, mlp_features, layers, heads, kv_heads;
};

struct Preset {
  std::string_view name;
  std::string_view about;
  nlohmann::ordered_json (*family)(const PresetSize& size);  // what its config.json says
  PresetSize size;
};

// All of them, the released ones first.
const std::vector<Preset>& presets();

// The preset of that name, or null.
const Preset* find_preset(std::string_view name);

JsonObject config_of(const Preset& preset);

}  // namespace headroom
