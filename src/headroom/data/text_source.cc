#include "headroom/data/text_source.h"

#include <algorithm>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/data/data_file.h"
#include "headroom/data/record_documents.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {
namespace {

constexpr int64_t kReadBytes = 64 * 1024;

// Characters that a read cuts in two wait at the front of the buffer for their rest.
void read_plain_text(const DataFile& file, DocumentSink& sink) {
  const std::unique_ptr<ByteSource> source = file.open();
  std::vector<char> buffer(kReadBytes);
  Utf8Check utf8;
  int64_t offset = file.mark_bytes();
  int64_t kept = 0;
  while (const int64_t got = source->read(buffer.data() + kept, kReadBytes - kept)) {
    int64_t whole = 0;
    for (int64_t index = kept; index < kept + got; ++index) {
      const char byte = buffer[static_cast<size_t>(index)];
      if (byte == '\0' || !utf8.feed(static_cast<uint8_t>(byte))) {
        throw InvalidInput("{}: is not text: byte {} is {}; expected UTF-8; try iconv or another file", file.path(),
                           format_count(offset + index - kept), byte == '\0' ? "NUL" : "no valid UTF-8");
      }
      if (utf8.is_between_characters()) whole = index + 1;
    }
    if (whole > 0) sink.text(std::string_view(buffer.data(), static_cast<size_t>(whole)));
    offset += got;
    kept = kept + got - whole;
    std::copy_n(buffer.begin() + whole, kept, buffer.begin());
  }
  if (kept > 0)
    throw InvalidInput("{}: ends in the middle of a character; the file is truncated or not UTF-8", file.path());
  sink.end_text(true);
}

}  // namespace

int64_t read_documents(const std::string& path, DocumentSink& sink) {
  const DataFile file(path);
  if (file.form() != DataForm::text) return read_records(*open_records(file), sink);
  read_plain_text(file, sink);
  return 0;
}

uint64_t fingerprint_of_file(const std::string& path) {
  const File file = File::open(path);
  std::vector<char> buffer(kReadBytes);
  Fingerprint fingerprint;
  int64_t offset = 0;
  while (const int64_t got = file.read_some(offset, buffer.data(), kReadBytes)) {
    fingerprint.add(std::string_view(buffer.data(), static_cast<size_t>(got)));
    offset += got;
  }
  return fingerprint.value();
}

}  // namespace headroom
