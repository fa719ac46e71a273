#include "headroom/data/table_records.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {
namespace {

constexpr size_t kTableBufferBytes = 16 * 1024;
constexpr size_t kPieceBytes = 4 * 1024;
constexpr size_t kMaxColumns = 256;
constexpr size_t kMaxNameBytes = 256;

}  // namespace

TableRecords::TableRecords(const DataFile& file)
    : Records(file.path()), bytes_(file.open()), delimiter_(file.delimiter()), buffer_(kTableBufferBytes) {
  while (!is_line_over_) {
    std::string name;
    read_cell([&](std::string_view piece) {
      name += piece;
      if (name.size() > kMaxNameBytes) fail("the first line has no names of columns; expected \"text\", say");
    });
    if (names_.size() == kMaxColumns) fail(fmt::format("more than {} columns", kMaxColumns));
    if (!name.empty() && std::find(names_.begin(), names_.end(), name) != names_.end()) {
      fail(fmt::format("two columns have the name \"{}\"", printable(name)));
    }
    names_.push_back(std::move(name));
  }
}

int TableRecords::look() {
  if (at_ == filled_) {
    before_buffer_ += static_cast<int64_t>(filled_);
    at_ = 0;
    filled_ = static_cast<size_t>(bytes_->read(buffer_.data(), static_cast<int64_t>(buffer_.size())));
    if (filled_ == 0) return kEnd;
  }
  return static_cast<uint8_t>(buffer_[at_]);
}

int TableRecords::take() {
  const int byte = look();
  if (byte == kEnd) return kEnd;
  ++at_;
  if (byte == '\n') ++line_;
  return byte;
}

bool TableRecords::next() {
  while (look() == '\n' || look() == '\r') take();
  cells_ = 0;
  is_line_over_ = false;
  return look() != kEnd;
}

bool TableRecords::next_field(std::string& name) {
  if (is_line_over_ != (cells_ == names_.size())) {
    fail(fmt::format("a line of {}{} cells; expected {}, as many as there are names", is_line_over_ ? "" : "more than ",
                     cells_, names_.size()));
  }
  if (is_line_over_) return false;
  name = names_[cells_++];
  return true;
}

void TableRecords::end_cell() {
  const int byte = take();
  if (byte == delimiter_) return;
  if (byte == '\r' && look() == '\n') take();
  if (byte != kEnd && byte != '\n' && byte != '\r') {
    fail("something follows the end of a cell in quotes; expected quotes inside it to be doubled");
  }
  is_line_over_ = true;
}

void TableRecords::read_cell(const std::function<void(std::string_view)>& sink) {
  const bool is_quoted = look() == '"';
  const int64_t begin = line_;
  if (is_quoted) take();
  std::string piece;
  Utf8Check utf8;
  for (;;) {
    int byte = look();
    if (is_quoted) {
      if (byte == kEnd) fail(fmt::format("the file ends inside the quotes of a cell that begins in line {}", begin));
      if (byte == '"') {
        take();
        if (look() != '"') break;
      }
    } else if (byte == kEnd || byte == delimiter_ || byte == '\n' || byte == '\r') {
      break;
    }
    byte = take();
    if (byte == 0 || !utf8.feed(static_cast<uint8_t>(byte))) fail("a cell is not valid UTF-8; try iconv");
    piece.push_back(static_cast<char>(byte));
    if (piece.size() + 4 > kPieceBytes && utf8.is_between_characters()) {
      sink(piece);
      piece.clear();
    }
  }
  if (!utf8.is_between_characters()) fail("a cell is not valid UTF-8; try iconv");
  if (!piece.empty()) sink(piece);
  end_cell();
}

void TableRecords::skip() {
  read_cell([](std::string_view) {});
}

void TableRecords::text(std::string_view /*name*/, const std::function<void(std::string_view)>& sink) {
  read_cell(sink);
}

nlohmann::ordered_json TableRecords::value(RecordRoom& room) {
  std::string text;
  const auto take_room = [&](int64_t bytes, int64_t values) {
    if (const std::string words = room.take(bytes, values); !words.empty()) fail(words);
  };
  take_room(0, 1);
  read_cell([&](std::string_view piece) {
    take_room(static_cast<int64_t>(piece.size()), 0);
    text += piece;
  });
  return text;
}

}  // namespace headroom
