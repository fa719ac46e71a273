#include "headroom/data/import_ids.h"

#include <array>

#include "headroom/base/errors.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

struct RowReader {
  JsonReader& json;
  TokenFileWriter& writer;
  int64_t vocabulary;
  int64_t row_length = 0;  // 0: no row was read yet

  void read_row() {
    std::array<int32_t, 1024> ids;
    size_t pending = 0;
    int64_t length = 0;
    for (json.begin_array(); json.next_element(); ++length) {
      ids[pending++] = static_cast<int32_t>(json.integer(0, vocabulary - 1));
      if (pending == ids.size()) writer.add({ids.data(), std::exchange(pending, 0)});
    }
    writer.add({ids.data(), pending});
    if (length == 0) json.fail("a row without ids");
    if (row_length != 0 && length != row_length) {
      json.fail(fmt::format("rows of different lengths; expected {} ids, got {}", row_length, length));
    }
    row_length = length;
  }

  // Returns the number of rows.
  int64_t read_rows() {
    int64_t rows = 0;
    for (json.begin_array(); json.next_element(); ++rows) read_row();
    if (rows == 0) json.fail("a list without rows");
    return rows;
  }
};

// Reads the one member `member` of the document with read(rows), which returns the rows of a step.
template <class Read>
TokenFileInfo convert(const std::string& json_path, const std::string& member, int64_t vocabulary,
                      const std::string& output, Read&& read) {
  const File file = File::open(json_path);
  JsonReader json(file, 0, file.size_bytes(), json_path);
  TokenFileWriter writer(output, vocabulary);
  RowReader rows{json, writer, vocabulary};
  TokenFileInfo info;
  std::string key;
  for (json.begin_object(); json.next_key(key);) {
    if (key != member) {
      json.skip();
    } else if (info.rows_per_step != 0) {
      json.fail(fmt::format("\"{}\" occurs twice", member));
    } else {
      info.rows_per_step = read(json, rows);
    }
  }
  json.finish();
  if (info.rows_per_step == 0) throw InvalidInput("{}: has no rows of ids in a member \"{}\"", json_path, member);
  info.row_length = rows.row_length;
  info.source_fingerprint = fingerprint_of_file(json_path);
  return writer.finish(info);
}

}  // namespace

TokenFileInfo tokens_from_batches(const std::string& json_path, int64_t vocabulary, const std::string& output) {
  return convert(json_path, "batches", vocabulary, output, [](JsonReader& json, RowReader& rows) {
    int64_t rows_per_step = 0;
    for (json.begin_array(); json.next_element();) {
      const int64_t count = rows.read_rows();
      if (rows_per_step != 0 && count != rows_per_step) {
        json.fail(fmt::format("steps of different sizes; expected {} rows, got {}", rows_per_step, count));
      }
      rows_per_step = count;
    }
    return rows_per_step;
  });
}

TokenFileInfo tokens_from_ids(const std::string& json_path, int64_t vocabulary, const std::string& output) {
  return convert(json_path, "ids", vocabulary, output, [](JsonReader&, RowReader& rows) { return rows.read_rows(); });
}

}  // namespace headroom
