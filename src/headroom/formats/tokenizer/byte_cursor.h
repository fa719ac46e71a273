// Reads a binary file from front to back, little-endian, through a fixed buffer: for headers whose length has no bound.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "headroom/base/file.h"

namespace headroom {

class ByteCursor {
 public:
  static constexpr int64_t kBufferBytes = 16 * 1024;

  // Bytes [begin, end) of `file`, which must outlive the cursor.
  ByteCursor(const File& file, int64_t begin, int64_t end) : file_(&file), at_(begin), end_(end) {}

  int64_t position() const { return at_; }  // in the file
  int64_t left() const { return end_ - at_; }

  // All throw InvalidInput ("the file is truncated ...") where fewer bytes are left.
  template <class Number>
  Number number() {
    static_assert(std::is_arithmetic_v<Number>);
    Number value;
    copy(&value, sizeof value);
    return value;
  }
  void text(int64_t size_bytes, std::string& out);
  void skip(int64_t size_bytes);

 private:
  void copy(void* out, int64_t size_bytes);
  void expect(int64_t size_bytes) const;

  const File* file_;
  int64_t at_;
  int64_t end_;
  std::array<char, kBufferBytes> buffer_;
  int64_t buffer_begin_ = 0;  // file offset of buffer_[0]
  int64_t buffer_end_ = 0;
};

}  // namespace headroom
