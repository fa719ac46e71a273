// Reads a JSON file of any size as a stream of events, in fixed memory: strings and numbers longer than kMaxJsonToken
// bytes and nesting deeper than kMaxJsonDepth are refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace headroom {

inline constexpr size_t kMaxJsonTokenBytes = 65536;
inline constexpr size_t kMaxJsonDepth = 32;

struct JsonEvent {
  enum class Kind : uint8_t { null, boolean, integer, number, text, begin_object, end_object, begin_array, end_array };

  Kind kind;
  // The keys that lead here from the top; an element of an array has an empty key. Values of the event itself:
  std::span<const std::string> path;
  bool boolean = false;
  int64_t integer = 0;  // integers beyond int64_t arrive as numbers
  double number = 0;
  std::string_view text = {};

  bool is(std::string_view a) const { return path.size() == 1 && path[0] == a; }
  bool is(std::string_view a, std::string_view b) const { return path.size() == 2 && path[0] == a && path[1] == b; }
};

class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  virtual void event(const JsonEvent& event) = 0;
};

// Throws InvalidInput naming the file and the byte for what is not JSON, and what File throws.
void scan_json_file(const std::string& path, JsonVisitor& visitor);

}  // namespace headroom
