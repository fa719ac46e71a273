// The records of a data file, one after the other, as fields with names: JSON objects, or the lines of a table, whose
// cells are texts. Read as a stream; only what is asked for is held.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "headroom/data/data_file.h"
#include "headroom/data/json_value.h"

namespace headroom {

class Records {
 public:
  explicit Records(std::string path) : path_(std::move(path)) {}
  virtual ~Records() = default;

  // Goes on to the next record; false behind the last.
  virtual bool next() = 0;
  // The name of its next field; each call is followed by reading the value in one of three ways, until it returns
  // false.
  virtual bool next_field(std::string& name) = 0;

  virtual void skip() = 0;
  // A text, in pieces of whole characters; what is no text is refused. `name`: of the field, for messages.
  virtual void text(std::string_view name, const std::function<void(std::string_view)>& sink) = 0;
  // All of it, within `room`.
  virtual nlohmann::ordered_json value(RecordRoom& room) = 0;

  // Whether values say what they are; else a number comes as its text.
  virtual bool is_typed() const = 0;
  // Of the unpacked file, so far.
  virtual int64_t position_bytes() const = 0;
  virtual int64_t line() const = 0;
  // Throws InvalidInput naming file and place.
  [[noreturn]] void fail(std::string_view words) const;

 private:
  std::string path_;
};

// Borrows the file, which holds records.
std::unique_ptr<Records> open_records(const DataFile& file);

}  // namespace headroom
