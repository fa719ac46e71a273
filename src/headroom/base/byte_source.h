// Bytes that are read once, from first to last: a part of a file, or what is made of one (formats/gzip).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "headroom/base/file.h"

namespace headroom {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // As many of the next bytes as there are, up to `size_bytes`, at least one; 0 only at the end.
  virtual int64_t read(void* data, int64_t size_bytes) = 0;
};

// Bytes [begin, end) of `file`, which is borrowed. Throws as File::read does.
class FileBytes final : public ByteSource {
 public:
  FileBytes(const File& file, int64_t begin, int64_t end) : file_(file), at_(begin), end_(end) {}

  int64_t read(void* data, int64_t size_bytes) override {
    const int64_t wanted = std::clamp(end_ - at_, int64_t{0}, size_bytes);
    if (wanted > 0) file_.read(at_, data, wanted);
    at_ += wanted;
    return wanted;
  }

 private:
  const File& file_;
  int64_t at_;
  int64_t end_;
};

// Those of a text, which is borrowed.
class TextBytes final : public ByteSource {
 public:
  explicit TextBytes(std::string_view text) : rest_(text) {}

  int64_t read(void* data, int64_t size_bytes) override {
    const size_t count = rest_.copy(static_cast<char*>(data), static_cast<size_t>(size_bytes));
    rest_.remove_prefix(count);
    return static_cast<int64_t>(count);
  }

 private:
  std::string_view rest_;
};

}  // namespace headroom
