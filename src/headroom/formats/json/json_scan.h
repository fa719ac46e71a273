// A JSON file of any size as a stream of events, on top of JsonReader: for files whose sections come in any order and
// may be much larger than what is wanted of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace headroom {

// Longer strings are refused: they are held whole while their event is handled.
inline constexpr size_t kMaxJsonTextBytes = 65536;

struct JsonEvent {
  enum class Kind : uint8_t { null, boolean, integer, number, text, begin_object, end_object, begin_array, end_array };

  Kind kind;
  // The keys that lead here from the top; an element of an array has an empty key.
  std::span<const std::string> path;
  // The value, by kind. A number is an integer if it is whole and below 2^53; it may be NaN or infinite.
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  std::string_view text = {};
};

class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  virtual void event(const JsonEvent& event) = 0;
};

// Throws InvalidInput naming the file and the line for what is not JSON, and what File throws.
void scan_json_file(const std::string& path, JsonVisitor& visitor);

}  // namespace headroom
