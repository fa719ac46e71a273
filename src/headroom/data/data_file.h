// A file of data by what it holds, whatever it is called: text, JSON objects, a list of them, or a table; also packed
// with gzip. docs/data.md is the definition.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "headroom/base/byte_source.h"

namespace headroom {

enum class DataForm : uint8_t {
  text,     // one text
  objects,  // JSON objects that follow one another
  list,     // a JSON list of objects
  table     // a line of names, then lines of cells
};

class DataFile {
 public:
  // Reads the first few KiB. Throws InvalidInput for what is missing, no file, empty, or of a kind that is known but
  // not read (Parquet, zip, ...), with the line that converts it.
  explicit DataFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  DataForm form() const { return form_; }
  bool is_packed() const { return is_packed_; }
  // What stands between the cells of a table.
  char delimiter() const { return delimiter_; }
  int64_t mark_bytes() const { return mark_bytes_; }
  // Of text, unpacked: as the file says, which need not be true.
  int64_t text_bytes() const { return text_bytes_; }

  // Its bytes from the first, unpacked, without a byte order mark. Borrows this.
  std::unique_ptr<ByteSource> open() const;

 private:
  File file_;
  bool is_packed_ = false;
  int64_t mark_bytes_ = 0;  // of a byte order mark
  DataForm form_ = DataForm::text;
  char delimiter_ = ',';
  int64_t text_bytes_ = 0;
};

// Throws as the constructor does, for the first of several that cannot be read.
void check_data_files(std::span<const std::string> paths);

// Whether one of the files holds objects or a table, and so perhaps examples.
bool any_hold_records(std::span<const std::string> paths);

// Of all files together, unpacked.
int64_t text_bytes_of(std::span<const std::string> paths);

}  // namespace headroom
