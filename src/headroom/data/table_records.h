// The lines of a table (CSV, RFC 4180; or with tabs or semicolons) as records: the first line has the names. A cell in
// quotes may hold anything, its quotes doubled; other cells end at the delimiter or the line. Empty lines are no
// records.
#pragma once

#include <string>
#include <vector>

#include "headroom/data/records.h"

namespace headroom {

class TableRecords final : public Records {
 public:
  // Reads the names. Throws InvalidInput for what is not such a table.
  explicit TableRecords(const DataFile& file);

  bool next() override;
  bool next_field(std::string& name) override;
  void skip() override;
  void text(std::string_view name, const std::function<void(std::string_view)>& sink) override;
  nlohmann::ordered_json value(RecordRoom& room) override;
  bool is_typed() const override { return false; }
  int64_t position_bytes() const override { return before_buffer_ + static_cast<int64_t>(at_); }
  int64_t line() const override { return line_; }

 private:
  static constexpr int kEnd = -1;

  int look();
  int take();
  // Reads a cell and what ends it.
  void read_cell(const std::function<void(std::string_view)>& sink);
  void end_cell();

  std::unique_ptr<ByteSource> bytes_;
  char delimiter_;
  std::vector<char> buffer_;
  size_t at_ = 0;
  size_t filled_ = 0;
  int64_t before_buffer_ = 0;
  int64_t line_ = 1;
  std::vector<std::string> names_;
  size_t cells_ = 0;  // of the record that have been read
  bool is_line_over_ = false;
};

}  // namespace headroom
