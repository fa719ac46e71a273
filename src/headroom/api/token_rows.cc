#include "headroom/api/token_rows.h"

#include <fmt/core.h>

#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

TokenRowsShape read_token_rows(const std::string& path, int64_t vocabulary, int64_t max_row_length,
                               const std::function<void(std::span<const int32_t>)>& on_row) {
  const File file = File::open(path);
  JsonReader json(file, 0, file.size_bytes(), path);
  TokenRowsShape shape;
  std::vector<int32_t> row;
  const auto read_row = [&] {
    row.clear();
    for (json.begin_array(); json.next_element();) {
      if (static_cast<int64_t>(row.size()) == max_row_length) {
        json.fail(fmt::format("a row of more ids than the model has positions; expected at most {}", max_row_length));
      }
      row.push_back(static_cast<int32_t>(json.integer(0, vocabulary - 1)));
    }
    const int64_t length = static_cast<int64_t>(row.size());
    if (length == 0) json.fail("a row without ids");
    if (shape.rows > 0 && length != shape.row_length) {
      json.fail(fmt::format("rows of different lengths; expected {} ids, got {}", shape.row_length, length));
    }
    shape.row_length = length;
    ++shape.rows;
    on_row(row);
  };
  std::string key;
  for (json.begin_object(); json.next_key(key);) {
    if (key != "ids") {
      json.skip();
      continue;
    }
    if (shape.rows > 0) json.fail("\"ids\" occurs twice");
    for (json.begin_array(); json.next_element();) read_row();
  }
  json.finish();
  if (shape.rows == 0) throw InvalidInput("{}: has no rows of ids in a member \"ids\"", path);
  return shape;
}

}  // namespace headroom
