// A JSON value of unknown form as a tree, within bounds: fields of records that are handed on to chat templates.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/formats/json/json_reader.h"

namespace headroom {

// Of an example: bytes of its texts and names, and values; a text that is learned whole may have any length.
inline constexpr int64_t kMaxExampleBytes = 256 * 1024;
inline constexpr int64_t kMaxExampleValues = 8192;

// How much of a record may be held at once: bytes of texts and names, and values.
class RecordRoom {
 public:
  RecordRoom(int64_t bytes, int64_t values) : bytes_(bytes), values_(values), all_bytes_(bytes), all_values_(values) {}
  // Words that refuse it, or nothing.
  std::string take(int64_t bytes, int64_t values);

 private:
  int64_t bytes_, values_;
  int64_t all_bytes_, all_values_;
};

// The value that comes next. Throws as JsonReader does, and where there is no room.
nlohmann::ordered_json read_json_value(JsonReader& json, RecordRoom& room);

}  // namespace headroom
