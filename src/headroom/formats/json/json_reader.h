// Reads JSON (RFC 8259) from a part of a file, value by value, in bounded memory whatever the file holds: for headers,
// token files and JSONL, whose size has no bound. (Small documents are read whole: json_object.h.)
//
//   for (reader.begin_object(); reader.next_key(key);) {
//     if (key == "shape") for (reader.begin_array(); reader.next_element();) shape.append(reader.integer(0, limit));
//     else reader.skip();
//   }
//
// Strict: escapes, numbers and UTF-8 are checked, also in what is skipped. What Python writes beyond JSON, NaN,
// Infinity and -Infinity, is passed over where it is skipped and refused where a number is read. Every error is an
// InvalidInput that names the document and the line. After an error the reader is spent.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/byte_source.h"

namespace headroom {

class JsonReader {
 public:
  enum class Kind : uint8_t { object, array, text, number, boolean, null };
  static constexpr int kMaxDepth = 64;
  static constexpr int64_t kBufferBytes = 16 * 1024;
  static constexpr size_t kPieceBytes = 4 * 1024;

  // Bytes [begin, end) of `file`, which must outlive the reader. `what` begins every message.
  JsonReader(const File& file, int64_t begin, int64_t end, std::string what);
  // All that `source` has; borrowed.
  JsonReader(ByteSource& source, std::string what);

  // The kind of the value that comes next; consumes only white space.
  Kind peek();

  // After begin_..., each call of next_... is followed by reading exactly one value, until it returns false, which
  // consumes the closing bracket.
  void begin_object();
  bool next_key(std::string& key, size_t max_bytes = 4096);
  void begin_array();
  bool next_element();

  int64_t integer(int64_t min, int64_t max);
  double real();  // rounded to nearest; refused beyond a double's range
  bool boolean();
  std::string number();  // its characters, at most 64; NaN, Infinity and -Infinity, too
  std::string text(size_t max_bytes = 4096);
  // Calls sink with the decoded text in pieces of whole characters, each at most kPieceBytes long.
  void text_in_pieces(const std::function<void(std::string_view)>& sink);
  // Reads over one value of any kind.
  void skip();

  // Whether only white space is left. Documents may follow one another (JSONL): ask between them.
  bool at_end();
  // Throws unless at_end().
  void finish();

  // Bytes consumed, and the line they lead to, from 1.
  int64_t position_bytes() const { return before_buffer_ + static_cast<int64_t>(at_); }
  int64_t line() const { return line_; }
  // Throws InvalidInput: "WHAT: WORDS (line N, byte M)".
  [[noreturn]] void fail(std::string_view words) const;

 private:
  static constexpr int kEnd = -1;

  int look();  // the next byte or kEnd
  int take();
  int look_behind_space();
  void expect(char byte);
  void open(char bracket);
  bool next_in(char closing);
  void read_string(const std::function<void(std::string_view)>& sink);
  uint32_t read_hex();
  uint32_t read_escape();
  void read_number(std::string& digits);
  void read_literal(std::string_view literal);

  std::unique_ptr<ByteSource> owned_;  // or null
  ByteSource& source_;
  std::string what_;
  std::vector<char> buffer_;
  int64_t before_buffer_ = 0;  // bytes
  size_t at_ = 0;
  size_t filled_ = 0;
  int64_t line_ = 1;
  int depth_ = 0;
  uint64_t has_members_ = 0;  // bit d: the container at depth d has had a member
};

// `text` for a message: shortened, control characters and bytes that are not ASCII replaced.
std::string printable(std::string_view text);

}  // namespace headroom
