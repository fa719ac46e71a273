// Models by name: the shapes that DeepSeek released, and small ones for a laptop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/models/llama.h"

namespace headroom {

struct Preset {
  std::string_view name;
  std::string_view about;
  LlamaConfig config;
};

// All of them, the released ones first.
const std::vector<Preset>& presets();

// The preset of that name, or null.
const Preset* find_preset(std::string_view name);

}  // namespace headroom
