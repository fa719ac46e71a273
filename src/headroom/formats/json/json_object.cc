#include "headroom/formats/json/json_object.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/gguf/gguf_config.h"
#include "headroom/formats/gguf/gguf_parts.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

using Json = nlohmann::ordered_json;

struct JsonObject::Unknown {
  bool ignored = false;
  std::vector<std::string> passed_over;  // "rope_scaling.factor"
};

struct JsonObject::State {
  std::shared_ptr<const Json> document;  // owns `members`
  const Json* members = nullptr;
  std::string prefix;   // "config.json: " or "config.json: rope_scaling."
  std::string parents;  // "" or "rope_scaling."
  std::set<std::string, std::less<>> asked;
  std::shared_ptr<Unknown> unknown;  // shared with the objects inside
};

namespace {

// The value that comes next. JSON leaves open what a repeated name means; readers disagree, so it is refused.
Json read_value(JsonReader& reader) {
  switch (reader.peek()) {
    case JsonReader::Kind::object: {
      Json object = Json::object();
      std::set<std::string, std::less<>> names;
      std::string key;
      for (reader.begin_object(); reader.next_key(key, JsonObject::kMaxFileBytes);) {
        if (!names.insert(key).second) reader.fail(fmt::format("the member {} occurs twice", printable(key)));
        // push_back, because looking a key up in an ordered object walks all of it.
        object.get_ref<Json::object_t&>().push_back({key, read_value(reader)});
      }
      return object;
    }
    case JsonReader::Kind::array: {
      Json array = Json::array();
      for (reader.begin_array(); reader.next_element();) array.push_back(read_value(reader));
      return array;
    }
    case JsonReader::Kind::text: return reader.text(JsonObject::kMaxFileBytes);
    case JsonReader::Kind::boolean: return reader.boolean();
    case JsonReader::Kind::null: reader.skip(); return nullptr;
    case JsonReader::Kind::number: break;
  }
  // One that is no JSON (NaN), or beyond a double's range, is refused when somebody asks for it.
  const std::string digits = reader.number();
  const Json number = Json::parse(digits, nullptr, false);
  return number.is_discarded() ? Json(std::strtod(digits.c_str(), nullptr)) : number;
}

bool is_in(double value, double min, double max) { return std::isfinite(value) && value >= min && value <= max; }

std::optional<int64_t> as_integer(const Json& value, int64_t min, int64_t max) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  const int64_t number = value.get<int64_t>();
  if (number < min || number > max) return std::nullopt;
  return number;
}

std::string integer_range(int64_t min, int64_t max) {
  return max == INT64_MAX ? fmt::format("of at least {}", min) : fmt::format("from {} to {}", min, max);
}

}  // namespace

JsonObject JsonObject::read(const std::string& path) {
  const File file = File::open(path);
  const int64_t size_bytes = file.size_bytes();
  if (size_bytes > kMaxFileBytes) {
    throw InvalidInput("{}: has {} bytes; expected a JSON document of at most {}", path, format_count(size_bytes),
                       format_count(kMaxFileBytes));
  }
  JsonReader reader(file, 0, size_bytes, path);
  if (reader.at_end()) throw InvalidInput("{}: is empty; expected a JSON object", path);
  if (reader.peek() != JsonReader::Kind::object) reader.fail("expected a JSON object");
  Json document = read_value(reader);
  reader.finish();
  return of(std::move(document), path);
}

JsonObject JsonObject::of(Json object, std::string_view name) {
  auto state = std::make_shared<State>();
  state->document = std::make_shared<const Json>(std::move(object));
  state->members = state->document.get();
  state->prefix = fmt::format("{}: ", name);
  state->unknown = std::make_shared<Unknown>();
  return JsonObject(std::move(state));
}

JsonObject JsonObject::with(std::string_view key, Json value) const {
  Json changed = *state_->members;
  if (value.is_null()) {
    changed.erase(std::string(key));
  } else {
    changed[std::string(key)] = std::move(value);
  }
  JsonObject copy = of(std::move(changed), "");
  copy.state_->prefix = state_->prefix;
  copy.state_->unknown->ignored = state_->unknown->ignored;
  return copy;
}

JsonObject JsonObject::ignoring_unknown() const {
  JsonObject copy = of(*state_->members, "");
  copy.state_->prefix = state_->prefix;
  copy.state_->unknown->ignored = true;
  return copy;
}

bool JsonObject::ignores_unknown() const { return state_->unknown->ignored; }

void JsonObject::pass_over(std::string_view key) const {
  std::vector<std::string>& names = state_->unknown->passed_over;
  std::string name = state_->parents + printable(key);
  if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
}

const std::vector<std::string>& JsonObject::passed_over() const { return state_->unknown->passed_over; }

const Json& JsonObject::json() const { return *state_->members; }

const Json* JsonObject::find(std::string_view key) const {
  state_->asked.emplace(key);
  const auto member = state_->members->find(std::string(key));
  if (member == state_->members->end() || member->is_null()) return nullptr;
  return &*member;
}

void JsonObject::refuse(std::string_view key, std::string_view expected) const {
  throw InvalidInput("{}: expected {}, got {}", where(key), expected, show(key));
}

const Json& JsonObject::require(std::string_view key, const char* expected) const {
  const Json* value = find(key);
  if (value == nullptr) throw InvalidInput("{}: is missing; expected {}", where(key), expected);
  return *value;
}

std::string JsonObject::where(std::string_view key) const { return state_->prefix + printable(key); }

std::string JsonObject::show(std::string_view key) const {
  const auto member = state_->members->find(std::string(key));
  if (member != state_->members->end() && member->is_number_float() && !std::isfinite(member->get<double>())) {
    const auto number = member->get<double>();
    return std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
  }
  return member == state_->members->end() ? "absent"
                                          : printable(member->dump(-1, ' ', false, Json::error_handler_t::replace));
}

bool JsonObject::has(std::string_view key) const { return find(key) != nullptr; }

bool JsonObject::is_text(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_string();
}

bool JsonObject::is_array(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_array();
}

int64_t JsonObject::integer(std::string_view key, int64_t min, int64_t max) const {
  const std::optional<int64_t> number = as_integer(require(key, "an integer"), min, max);
  if (!number) refuse(key, "an integer " + integer_range(min, max));
  return *number;
}

double JsonObject::real(std::string_view key, double min, double max) const {
  const Json& value = require(key, "a number");
  if (!value.is_number() || !is_in(value.get<double>(), min, max)) {
    refuse(key, fmt::format("a number from {} to {}", min, max));
  }
  return value.get<double>();
}

bool JsonObject::boolean(std::string_view key) const {
  const Json& value = require(key, "true or false");
  if (!value.is_boolean()) refuse(key, "true or false");
  return value.get<bool>();
}

std::string JsonObject::text(std::string_view key) const {
  const Json& value = require(key, "a text");
  if (!value.is_string()) refuse(key, "a text");
  return value.get<std::string>();
}

JsonObject JsonObject::object(std::string_view key) const {
  const Json& value = require(key, "an object");
  if (!value.is_object()) refuse(key, "an object");
  auto state = std::make_shared<State>();
  state->document = state_->document;
  state->members = &value;
  state->prefix = where(key) + ".";
  state->parents = state_->parents + printable(key) + ".";
  state->unknown = state_->unknown;
  return JsonObject(std::move(state));
}

std::vector<int64_t> JsonObject::integers(std::string_view key, int64_t min, int64_t max) const {
  const Json& value = require(key, "an array of integers");
  const std::string expected = "an array of integers " + integer_range(min, max);
  if (!value.is_array()) refuse(key, expected);
  std::vector<int64_t> result;
  for (const Json& element : value) {
    const std::optional<int64_t> number = as_integer(element, min, max);
    if (!number) refuse(key, expected);
    result.push_back(*number);
  }
  return result;
}

std::vector<std::string> JsonObject::texts(std::string_view key) const {
  const Json& value = require(key, "an array of texts");
  const auto is_text = [](const Json& element) { return element.is_string(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_text)) refuse(key, "an array of texts");
  return value.get<std::vector<std::string>>();
}

int64_t JsonObject::integer_or(std::string_view key, int64_t fallback, int64_t min, int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double JsonObject::real_or(std::string_view key, double fallback, double min, double max) const {
  return has(key) ? real(key, min, max) : fallback;
}

bool JsonObject::boolean_or(std::string_view key, bool fallback) const { return has(key) ? boolean(key) : fallback; }

std::string JsonObject::text_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::optional<JsonObject> JsonObject::object_if(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return object(key);
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, value] : state_->members->items()) {
    if (!value.is_null()) result.push_back(key);
  }
  return result;
}

std::vector<std::string> JsonObject::unread() const {
  std::vector<std::string> result = keys();
  std::erase_if(result, [this](const std::string& key) { return state_->asked.contains(key); });
  return result;
}

// Texts may come from paths, which need not be UTF-8.
void write_json(const std::string& path, const Json& document) {
  write_file_atomically(path, document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

namespace {

// By the name: what is in it is no JSON, and a sentence about that would be a riddle.
void refuse_weights_alone(const std::string& path) {
  for (const char* ending : {".safetensors", ".bin", ".pth", ".pt", ".ckpt"}) {
    if (!path.ends_with(ending)) continue;
    throw InvalidInput(
        "{}: is a file of weights alone; expected the directory of the model, with its config.json; try {}", path,
        parent_of(path));
  }
}

// By how it begins: a text is no config, whatever is wrong with it as JSON.
void refuse_other_files(const std::string& path) {
  const File file = File::open(path);
  std::array<char, 64> begin;
  const int64_t got = file.read_some(0, begin.data(), begin.size());
  const std::string_view text(begin.data(), static_cast<size_t>(got));
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] == '{' || path.ends_with(".json")) return;
  throw InvalidInput("{}: is no model; expected a model directory, a config.json or a .gguf file", path);
}

}  // namespace

JsonObject read_config(const std::string& model) {
  if (GgufFile::is_gguf(model)) return JsonObject::of(gguf_config(GgufFile(model)), model);
  std::error_code error;
  if (!std::filesystem::is_directory(model, error)) {
    refuse_weights_alone(model);
    refuse_other_files(model);
    return JsonObject::read(model);
  }
  const std::string config = (std::filesystem::path(model) / "config.json").string();
  const std::string adapter = (std::filesystem::path(model) / "adapter_config.json").string();
  if (!std::filesystem::exists(config, error) && std::filesystem::exists(adapter, error)) {
    const JsonObject json = JsonObject::read(adapter);
    const std::string base = json.is_text("base_model_name_or_path") ? json.text("base_model_name_or_path") : "";
    throw InvalidInput(
        "{}: is a PEFT adapter, no model; expected the model that it belongs to{}; try that, with "
        "--adapter {} beside it in train, generate, eval or convert",
        model, base.empty() ? "" : fmt::format(" ({})", printable(base)), model);
  }
  const std::string gguf = std::filesystem::exists(config, error) ? "" : gguf_file_in(model);
  if (gguf.empty() && !std::filesystem::exists(config, error)) {
    throw InvalidInput("{}: has no config.json; expected the directory of a model", model);
  }
  if (gguf.empty()) return JsonObject::read(config);
  throw InvalidInput("{}: has no config.json, but a GGUF file; try that itself as the model: {}", model, gguf);
}

}  // namespace headroom
