#include "headroom/train/text_source.h"

#include <algorithm>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/fingerprint.h"
#include "headroom/formats/json_reader.h"
#include "headroom/formats/utf8_check.h"

namespace headroom {
namespace {

constexpr int64_t kReadBytes = 64 * 1024;

bool is_json_lines(const std::string& path) {
  return path.ends_with(".jsonl") || path.ends_with(".ndjson") || path.ends_with(".json");
}

void read_json_lines(const File& file, const DocumentSink& sink) {
  JsonReader json(file, 0, file.size_bytes(), file.path());
  std::string key;
  while (!json.at_end()) {
    if (json.peek() != JsonReader::Kind::object) json.fail("expected an object with a field \"text\"");
    bool has_field = false, has_text = false;
    for (json.begin_object(); json.next_key(key);) {
      if (key != "text") {
        json.skip();
        continue;
      }
      if (has_field || json.peek() != JsonReader::Kind::text)
        json.fail("expected one field \"text\" that holds a text");
      has_field = true;
      json.text_in_pieces([&](std::string_view piece) {
        sink.text(piece);
        has_text = true;
      });
    }
    if (!has_field) json.fail("the object has no field \"text\"");
    if (has_text) sink.end_document();
  }
}

// Characters that a read cuts in two wait at the front of the buffer for their rest.
void read_plain_text(const File& file, const DocumentSink& sink) {
  std::vector<char> buffer(kReadBytes);
  Utf8Check utf8;
  int64_t offset = 0;
  int64_t kept = 0;
  while (const int64_t got = file.read_some(offset, buffer.data() + kept, kReadBytes - kept)) {
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
  sink.end_document();
}

}  // namespace

void read_documents(const std::string& path, const DocumentSink& sink) {
  const File file = File::open(path);
  if (file.size_bytes() == 0) throw InvalidInput("{}: is empty; expected text", path);
  if (is_json_lines(path)) {
    read_json_lines(file, sink);
  } else {
    read_plain_text(file, sink);
  }
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
