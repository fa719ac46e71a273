// Rows of token ids in JSON, {"ids": [[id, ...], ...]}, read as a stream.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace headroom {

struct TokenRowsShape {
  int64_t rows = 0;
  int64_t row_length = 0;
};

// Calls `on_row` with each row; its ids are good during the call. Rows have one length, at most `max_row_length`.
// Throws InvalidInput naming the line for another shape, no rows, an empty row, or an id outside [0, vocabulary).
TokenRowsShape read_token_rows(const std::string& path, int64_t vocabulary, int64_t max_row_length,
                               const std::function<void(std::span<const int32_t>)>& on_row);

}  // namespace headroom
