#include "headroom/data/json_value.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

class ValueReader {
 public:
  ValueReader(JsonReader& json, RecordRoom& room) : json_(json), room_(room) {}

  Json read() {
    using Kind = JsonReader::Kind;
    take(0, 1);
    switch (json_.peek()) {
      case Kind::object: return object();
      case Kind::array: return list();
      case Kind::text: return text();
      case Kind::boolean: return json_.boolean();
      case Kind::number: return number();
      case Kind::null: break;
    }
    json_.skip();
    return nullptr;
  }

 private:
  Json object() {
    Json object = Json::object();
    std::string key;
    for (json_.begin_object(); json_.next_key(key);) {
      take(static_cast<int64_t>(key.size()), 0);
      if (object.contains(key)) json_.fail(fmt::format("\"{}\" occurs twice", printable(key)));
      object[key] = read();
    }
    return object;
  }

  Json list() {
    Json list = Json::array();
    for (json_.begin_array(); json_.next_element();) list.push_back(read());
    return list;
  }

  Json text() {
    std::string text;
    json_.text_in_pieces([&](std::string_view piece) {
      take(static_cast<int64_t>(piece.size()), 0);
      text += piece;
    });
    return text;
  }

  Json number() {
    const std::string digits = json_.number();
    Json number = Json::parse(digits, nullptr, false);
    if (number.is_discarded()) json_.fail(fmt::format("expected a number that a double can hold, got {}", digits));
    return number;
  }

  void take(int64_t bytes, int64_t values) {
    if (const std::string words = room_.take(bytes, values); !words.empty()) json_.fail(words);
  }

  JsonReader& json_;
  RecordRoom& room_;
};

}  // namespace

std::string RecordRoom::take(int64_t bytes, int64_t values) {
  bytes_ -= bytes;
  values_ -= values;
  if (bytes_ < 0) {
    return fmt::format("an example of more than {} bytes; cut it into smaller ones", format_count(all_bytes_));
  }
  if (values_ < 0) {
    return fmt::format("an example of more than {} values; cut it into smaller ones", format_count(all_values_));
  }
  return "";
}

Json read_json_value(JsonReader& json, RecordRoom& room) { return ValueReader(json, room).read(); }

}  // namespace headroom
