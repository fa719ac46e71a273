#include "headroom/graph/segment.h"

#include <fmt/core.h>

#include <charconv>

#include "headroom/graph/interned.h"

namespace headroom {
namespace {

constexpr std::string_view kLayers = "layers.";

}  // namespace

Segment layer_segment(int64_t layer) {
  return {interned(fmt::format("{}{}", kLayers, layer)), static_cast<int32_t>(layer)};
}

Segment parse_segment(std::string_view name) {
  Segment segment{interned(name)};
  if (name.starts_with(kLayers)) {
    const std::string_view digits = name.substr(kLayers.size());
    int32_t layer = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    if (error == std::errc() && end == digits.data() + digits.size()) segment.layer = layer;
  }
  return segment;
}

}  // namespace headroom
