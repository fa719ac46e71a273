#include "headroom/formats/tokenizer/byte_cursor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {

static_assert(std::endian::native == std::endian::little);

void ByteCursor::expect(int64_t size_bytes) const {
  if (size_bytes >= 0 && size_bytes <= left()) return;
  throw InvalidInput("{}: the file is truncated or damaged; at byte {} expected {} more bytes, got {}", file_->path(),
                     at_, format_count(size_bytes), format_count(left()));
}

void ByteCursor::copy(void* out, int64_t size_bytes) {
  expect(size_bytes);
  char* target = static_cast<char*>(out);
  while (size_bytes > 0) {
    if (at_ < buffer_begin_ || at_ >= buffer_end_) {
      const int64_t wanted = std::min<int64_t>(kBufferBytes, left());
      file_->read(at_, buffer_.data(), wanted);
      buffer_begin_ = at_;
      buffer_end_ = at_ + wanted;
    }
    const int64_t run = std::min(size_bytes, buffer_end_ - at_);
    std::memcpy(target, buffer_.data() + (at_ - buffer_begin_), static_cast<size_t>(run));
    target += run;
    at_ += run;
    size_bytes -= run;
  }
}

void ByteCursor::text(int64_t size_bytes, std::string& out) {
  expect(size_bytes);
  out.resize(static_cast<size_t>(size_bytes));
  copy(out.data(), size_bytes);
}

void ByteCursor::skip(int64_t size_bytes) {
  expect(size_bytes);
  at_ += size_bytes;
}

}  // namespace headroom
