#include "headroom/formats/json_scan.h"

#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"

namespace headroom {
namespace {

// The bytes of a file in order, through one fixed buffer. Counts the bytes of each string and number, because the
// parser behind it gathers them whole.
class JsonBytes {
 public:
  explicit JsonBytes(const std::string& path) : file_(File::open(path)), buffer_(32768) { refill(); }

  bool at_end() const { return at_ == size_; }
  char current() const { return buffer_[at_]; }
  int64_t position() const { return offset_ - static_cast<int64_t>(size_ - at_); }

  void advance() {
    const char byte = current();
    const bool structural = !in_string_ && std::strchr(" \t\r\n,:[]{}", byte) != nullptr && byte != 0;
    const bool closes = byte == '"' && !escaped_;
    token_bytes_ = structural || (closes && in_string_) ? 0 : token_bytes_ + 1;
    if (closes) in_string_ = !in_string_;
    escaped_ = in_string_ && byte == '\\' && !escaped_;
    if (token_bytes_ > kMaxJsonTokenBytes) {
      throw InvalidInput("{}: a {} of more than {} bytes before byte {}; not supported", file_.path(),
                         in_string_ ? "string" : "number", kMaxJsonTokenBytes, position());
    }
    if (++at_ == size_) refill();
  }

 private:
  void refill() {
    size_ = static_cast<size_t>(file_.read_some(offset_, buffer_.data(), static_cast<int64_t>(buffer_.size())));
    offset_ += static_cast<int64_t>(size_);
    at_ = 0;
  }

  File file_;
  std::vector<char> buffer_;
  size_t at_ = 0;
  size_t size_ = 0;
  int64_t offset_ = 0;
  size_t token_bytes_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

// What nlohmann's parser asks of its input.
struct JsonIterator {
  using difference_type = std::ptrdiff_t;
  using value_type = char;
  using pointer = const char*;
  using reference = char;
  using iterator_category = std::input_iterator_tag;

  JsonBytes* bytes = nullptr;  // null: the end

  char operator*() const { return bytes->current(); }
  JsonIterator& operator++() {
    bytes->advance();
    return *this;
  }
  friend bool operator==(const JsonIterator& a, const JsonIterator& b) {
    return (a.bytes == nullptr || a.bytes->at_end()) == (b.bytes == nullptr || b.bytes->at_end());
  }
  friend bool operator!=(const JsonIterator& a, const JsonIterator& b) { return !(a == b); }
};

class Events final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Events(const std::string& path, JsonVisitor& visitor) : path_(path), visitor_(visitor) {}

  bool null() override { return value({JsonEvent::Kind::null, {}}); }
  bool boolean(bool boolean) override {
    return value({.kind = JsonEvent::Kind::boolean, .path = {}, .boolean = boolean});
  }
  bool number_integer(int64_t integer) override {
    return value({.kind = JsonEvent::Kind::integer, .path = {}, .integer = integer});
  }
  bool number_unsigned(uint64_t integer) override {
    if (integer > INT64_MAX) return number_float(static_cast<double>(integer), {});
    return number_integer(static_cast<int64_t>(integer));
  }
  bool number_float(double number, const std::string&) override {
    return value({.kind = JsonEvent::Kind::number, .path = {}, .number = number});
  }
  bool string(std::string& text) override { return value({.kind = JsonEvent::Kind::text, .path = {}, .text = text}); }
  bool binary(nlohmann::json::binary_t&) override { return false; }

  bool start_object(size_t) override { return open(JsonEvent::Kind::begin_object); }
  bool start_array(size_t) override { return open(JsonEvent::Kind::begin_array); }
  bool end_object() override { return close(JsonEvent::Kind::end_object); }
  bool end_array() override { return close(JsonEvent::Kind::end_array); }
  bool key(std::string& key) override {
    keys_[depth_ - 1].assign(key);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) override {
    const std::string_view text = error.what();
    const size_t colon = text.rfind(": ");
    throw InvalidInput("{}: not valid JSON near byte {} ({:.200})", path_, position,
                       colon == std::string_view::npos ? text : text.substr(colon + 2));
  }

 private:
  bool value(JsonEvent event) {
    event.path = {keys_, depth_};
    visitor_.event(event);
    return true;
  }

  bool open(JsonEvent::Kind kind) {
    value({kind, {}});
    if (depth_ == kMaxJsonDepth) throw InvalidInput("{}: JSON nested deeper than {}", path_, kMaxJsonDepth);
    keys_[depth_++].clear();
    return true;
  }

  bool close(JsonEvent::Kind kind) {
    --depth_;
    return value({kind, {}});
  }

  const std::string& path_;
  JsonVisitor& visitor_;
  std::string keys_[kMaxJsonDepth];
  size_t depth_ = 0;
};

}  // namespace

void scan_json_file(const std::string& path, JsonVisitor& visitor) {
  JsonBytes bytes(path);
  Events events(path, visitor);
  nlohmann::json::sax_parse(JsonIterator{&bytes}, JsonIterator{}, &events);
}

}  // namespace headroom
