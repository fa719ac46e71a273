// Between JSON and a template's values.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "headroom/formats/chat/jinja_run.h"

namespace headroom::jinja {

// `what` names the value in messages: "messages".
Value from_json(Run& run, const nlohmann::ordered_json& json, std::string_view what);

// Python's json.dumps.
struct JsonStyle {
  bool only_ascii = false;
  bool sort_keys = false;
  bool has_indent = false;
  std::string indent;  // of one level
  std::string item_separator;
  std::string key_separator;
};
std::string to_json(Run& run, const Value& value, const JsonStyle& style);

}  // namespace headroom::jinja
