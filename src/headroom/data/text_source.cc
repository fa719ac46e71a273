#include "headroom/data/text_source.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/fingerprint.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {
namespace {

constexpr int64_t kReadBytes = 64 * 1024;

constexpr size_t kMaxNameBytes = 64;  // of a field of a message
constexpr size_t kMaxMessageFields = 8;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Bytes that a byte order mark takes at the start of the file.
int64_t byte_order_mark_bytes(const File& file) {
  std::array<char, kByteOrderMark.size()> start = {};
  const int64_t got = file.read_some(0, start.data(), start.size());
  return std::string_view(start.data(), static_cast<size_t>(got)) == kByteOrderMark ? got : 0;
}

// One object of a file of JSON lines.
class Line {
 public:
  Line(JsonReader& json, DocumentSink& sink) : json_(json), sink_(sink) {}

  void read() {
    if (json_.peek() != JsonReader::Kind::object) json_.fail("expected an object");
    std::string key;
    for (json_.begin_object(); json_.next_key(key);) {
      if (key == "text") {
        mark(has_text_, key);
        read_text(key, [&](std::string_view piece) {
          sink_.text(piece);
          is_empty_ = false;
        });
      } else if (key == "prompt") {
        mark(has_prompt_, key);
        read_part(key, prompt_);
      } else if (key == "completion") {
        mark(has_completion_, key);
        read_part(key, completion_);
      } else if (key == "messages") {
        mark(has_messages_, key);
        read_messages();
      } else {
        json_.skip();
      }
    }
    finish();
  }

 private:
  void mark(bool& seen, const std::string& key) {
    if (seen) json_.fail(fmt::format("\"{}\" occurs twice", key));
    seen = true;
  }

  template <class Sink>
  void read_text(const std::string& key, Sink&& sink) {
    if (json_.peek() != JsonReader::Kind::text) json_.fail(fmt::format("expected a text in \"{}\"", key));
    json_.text_in_pieces(sink);
  }

  void read_part(const std::string& key, std::string& part) {
    read_text(key, [&](std::string_view piece) {
      example_bytes_ += static_cast<int64_t>(piece.size());
      if (example_bytes_ > kMaxExampleBytes) {
        json_.fail(
            fmt::format("an example of more than {} bytes; cut it into smaller ones", format_count(kMaxExampleBytes)));
      }
      part += piece;
    });
  }

  void read_messages() {
    if (json_.peek() != JsonReader::Kind::array) json_.fail("expected a list in \"messages\"");
    for (json_.begin_array(); json_.next_element();) {
      if (messages_.size() == kMaxMessages) json_.fail(fmt::format("more than {} messages", kMaxMessages));
      messages_.push_back(read_message());
    }
    if (messages_.empty()) json_.fail("a conversation without messages");
  }

  // What is neither a text nor null might change what is to be learned, so it is not passed over.
  nlohmann::ordered_json read_message() {
    if (json_.peek() != JsonReader::Kind::object) json_.fail("expected a message, an object with role and content");
    nlohmann::ordered_json message = nlohmann::ordered_json::object();
    std::string key;
    for (json_.begin_object(); json_.next_key(key, kMaxNameBytes);) {
      if (message.contains(key)) json_.fail(fmt::format("\"{}\" occurs twice", printable(key)));
      if (message.size() == kMaxMessageFields) json_.fail("a message of too many fields");
      if (json_.peek() == JsonReader::Kind::null) {
        json_.skip();
        message[key] = nullptr;
      } else {
        std::string value;
        read_part(key, value);
        message[key] = std::move(value);
      }
    }
    for (const char* name : {"role", "content"}) {
      const auto field = message.find(name);
      if (field == message.end() || !field->is_string())
        json_.fail(fmt::format("a message without a text \"{}\"", name));
    }
    return message;
  }

  void finish() {
    const int kinds = int{has_text_} + int{has_prompt_ || has_completion_} + int{has_messages_};
    if (kinds != 1) {
      json_.fail(fmt::format(
          "the object has {}; expected exactly one of \"text\", \"prompt\" with \"completion\", and \"messages\"",
          kinds == 0 ? "no field that says what to learn" : "several kinds of fields to learn from"));
    }
    if (has_text_) {
      if (!is_empty_) sink_.end_text(false);
    } else if (has_messages_) {
      pass_messages();
    } else if (has_prompt_ && has_completion_) {
      sink_.prompt_completion(prompt_, completion_);
    } else {
      json_.fail(fmt::format("the object has \"{}\" without \"{}\"", has_prompt_ ? "prompt" : "completion",
                             has_prompt_ ? "completion" : "prompt"));
    }
  }

  void pass_messages() {
    try {
      sink_.conversation(messages_);
    } catch (const InvalidInput& error) {
      json_.fail(error.what());
    }
  }

  JsonReader& json_;
  DocumentSink& sink_;
  bool has_text_ = false, has_prompt_ = false, has_completion_ = false, has_messages_ = false;
  bool is_empty_ = true;
  int64_t example_bytes_ = 0;
  std::string prompt_, completion_;
  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();
};

void read_json_lines(const File& file, int64_t begin, DocumentSink& sink) {
  JsonReader json(file, begin, file.size_bytes(), file.path());
  while (!json.at_end()) Line(json, sink).read();
}

// Characters that a read cuts in two wait at the front of the buffer for their rest.
void read_plain_text(const File& file, int64_t begin, DocumentSink& sink) {
  std::vector<char> buffer(kReadBytes);
  Utf8Check utf8;
  int64_t offset = begin;
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
  sink.end_text(true);
}

}  // namespace

bool is_json_lines(const std::string& path) {
  return path.ends_with(".jsonl") || path.ends_with(".ndjson") || path.ends_with(".json");
}

bool any_are_json_lines(std::span<const std::string> paths) {
  return std::any_of(paths.begin(), paths.end(), is_json_lines);
}

void read_documents(const std::string& path, DocumentSink& sink) {
  const File file = File::open(path);
  const int64_t begin = byte_order_mark_bytes(file);
  if (file.size_bytes() == begin) throw InvalidInput("{}: is empty; expected text", path);
  if (is_json_lines(path)) {
    read_json_lines(file, begin, sink);
  } else {
    read_plain_text(file, begin, sink);
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
