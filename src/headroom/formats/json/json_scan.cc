#include "headroom/formats/json/json_scan.h"

#include <cmath>
#include <cstdlib>
#include <vector>

#include "headroom/base/file.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

class Scanner {
 public:
  Scanner(JsonReader& reader, JsonVisitor& visitor)
      : reader_(reader), visitor_(visitor), keys_(JsonReader::kMaxDepth + 1) {}

  void value() {
    using Kind = JsonEvent::Kind;
    switch (reader_.peek()) {
      case JsonReader::Kind::object:
        event({.kind = Kind::begin_object, .path = {}});
        ++depth_;
        for (reader_.begin_object(); reader_.next_key(keys_[depth_ - 1], kMaxJsonTextBytes);) value();
        --depth_;
        return event({.kind = Kind::end_object, .path = {}});
      case JsonReader::Kind::array:
        event({.kind = Kind::begin_array, .path = {}});
        keys_[depth_++].clear();
        for (reader_.begin_array(); reader_.next_element();) value();
        --depth_;
        return event({.kind = Kind::end_array, .path = {}});
      case JsonReader::Kind::text:
        text_ = reader_.text(kMaxJsonTextBytes);
        return event({.kind = Kind::text, .path = {}, .text = text_});
      case JsonReader::Kind::number: return number(std::strtod(reader_.number().c_str(), nullptr));
      case JsonReader::Kind::boolean: return event({.kind = Kind::boolean, .path = {}, .boolean = reader_.boolean()});
      case JsonReader::Kind::null: reader_.skip(); return event({.kind = Kind::null, .path = {}});
    }
  }

 private:
  void number(double number) {
    const bool whole = std::abs(number) < 0x1p53 && number == std::floor(number);
    event({.kind = whole ? JsonEvent::Kind::integer : JsonEvent::Kind::number,
           .path = {},
           .integer = whole ? static_cast<int64_t>(number) : 0,
           .number = number});
  }

  void event(JsonEvent event) {
    event.path = {keys_.data(), depth_};
    visitor_.event(event);
  }

  JsonReader& reader_;
  JsonVisitor& visitor_;
  std::vector<std::string> keys_;
  size_t depth_ = 0;
  std::string text_;
};

}  // namespace

void scan_json_file(const std::string& path, JsonVisitor& visitor) {
  const File file = File::open(path);
  JsonReader reader(file, 0, file.size_bytes(), path);
  Scanner(reader, visitor).value();
  reader.finish();
}

}  // namespace headroom
