#include "headroom/formats/chat/jinja_json.h"

#include <algorithm>
#include <cmath>

#include "headroom/formats/chat/jinja_operators.h"
#include "headroom/formats/chat/jinja_text.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom::jinja {
namespace {

constexpr int kMaxJsonDepth = 32;

Value convert(Run& run, const nlohmann::ordered_json& json, std::string_view what, int depth) {
  if (depth > kMaxJsonDepth) run.fail("{}: arrays and objects are more than {} deep", what, kMaxJsonDepth);
  switch (json.type()) {
    case nlohmann::ordered_json::value_t::boolean: return Value(json.get<bool>());
    case nlohmann::ordered_json::value_t::number_float: return Value(json.get<double>());
    case nlohmann::ordered_json::value_t::string: return run.text(json.get_ref<const std::string&>());
    case nlohmann::ordered_json::value_t::number_integer: return Value(json.get<int64_t>());
    case nlohmann::ordered_json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
        run.fail("{}: the integer {} is too large", what, json.get<uint64_t>());
      return Value(json.get<int64_t>());
    case nlohmann::ordered_json::value_t::array: {
      std::vector<Value> items;
      for (const auto& item : json) items.push_back(convert(run, item, what, depth + 1));
      return run.list(std::move(items));
    }
    case nlohmann::ordered_json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      for (const auto& [key, item] : json.items()) {
        Value name = run.text(std::string_view(key));
        items.emplace_back(std::move(name), convert(run, item, what, depth + 1));
      }
      return run.dict(std::move(items));
    }
    default: return Value(None{});
  }
}

class JsonWriter {
 public:
  JsonWriter(Run& run, const JsonStyle& style) : run_(run), style_(style), room_(run.meter(), 0) {}

  void write(const Value& value, int level) {
    run_.meter().step();
    if (value.is_none()) {
      add("null");
    } else if (value.is<bool>()) {
      add(value.boolean() ? "true" : "false");
    } else if (value.is_number()) {
      add(number(value));
    } else if (value.is_text()) {
      add(quoted(value.text()));
    } else if (value.dict() != nullptr) {
      write_dict(*value.dict(), level);
    } else if (value.list() != nullptr && value.list()->shape <= List::Shape::tuple) {
      write_list(*value.list(), level);
    } else {
      require_defined(run_, value);
      run_.fail("{} cannot be written as JSON", value.kind());
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void add(std::string_view text) {
    run_.meter().step(static_cast<int64_t>(text.size()));
    room_.more(static_cast<int64_t>(text.size()));
    out_ += text;
  }
  void new_line(int level) {
    if (!style_.has_indent) return;
    add("\n");
    for (int i = 0; i < level; ++i) add(style_.indent);
  }

  static std::string number(const Value& value) {
    if (value.is_integral()) return std::to_string(value.integer());
    if (std::isnan(value.real())) return "NaN";
    if (std::isinf(value.real())) return value.real() < 0 ? "-Infinity" : "Infinity";
    return show_real(value.real());
  }

  std::string quoted(std::string_view text) const {
    std::string result = "\"";
    while (!text.empty()) {
      const Utf8Char character = read_utf8(text);
      const char32_t code = character.code;
      constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
      constexpr std::string_view kNames = "\"\\nrtfb";
      const size_t known = code < 0x80 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
      if (known != std::string_view::npos) {
        result += '\\';
        result += kNames[known];
      } else if (code < 0x20 || (style_.only_ascii && code > 0x7f)) {
        const auto unit = [&](uint32_t number) { result += fmt::format("\\u{:04x}", number); };
        const auto number = static_cast<uint32_t>(code);
        if (number >= 0x10000) unit(0xd800 + ((number - 0x10000) >> 10));
        unit(number < 0x10000 ? number : 0xdc00 + ((number - 0x10000) & 0x3ff));
      } else {
        result += text.substr(0, static_cast<size_t>(character.length));
      }
      text.remove_prefix(static_cast<size_t>(character.length));
    }
    return result + "\"";
  }

  void write_list(const List& list, int level) {
    add("[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) add(style_.item_separator);
      new_line(level + 1);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) new_line(level);
    add("]");
  }

  void write_dict(const Dict& dict, int level) {
    std::vector<std::pair<Value, Value>> items = dict.items;
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(),
                       [&](const auto& a, const auto& b) { return compare(run_, a.first, b.first) < 0; });
    }
    add("{");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) add(style_.item_separator);
      new_line(level + 1);
      write_key(items[i].first);
      add(style_.key_separator);
      write(items[i].second, level + 1);
    }
    if (!items.empty()) new_line(level);
    add("}");
  }

  void write_key(const Value& key) {
    if (key.is_text()) {
      add(quoted(key.text()));
    } else if (key.is_none() || key.is_number()) {
      add("\"");
      write(key, 0);
      add("\"");
    } else {
      run_.fail("{} cannot be a key in JSON", key.kind());
    }
  }

  Run& run_;
  const JsonStyle& style_;
  std::string out_;
  Charge room_;
};

}  // namespace

Value from_json(Run& run, const nlohmann::ordered_json& json, std::string_view what) {
  return convert(run, json, what, 0);
}

std::string to_json(Run& run, const Value& value, const JsonStyle& style) {
  JsonWriter writer(run, style);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace headroom::jinja
