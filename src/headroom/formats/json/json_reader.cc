#include "headroom/formats/json/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {
namespace {

constexpr size_t kMaxNumberBytes = 64;
constexpr size_t kMaxPrintedBytes = 80;

// How many bytes `text` begins with that are ASCII and stand for themselves inside a string.
size_t count_plain(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && text[count] >= 0x20 && text[count] != '"' && text[count] != '\\') ++count;
  return count;
}

bool is_digit(int byte) { return byte >= '0' && byte <= '9'; }

void append_utf8(std::string& text, uint32_t code_point) {
  const auto add = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return add(code_point);
  if (code_point < 0x800) {
    add(0xc0 | (code_point >> 6));
  } else {
    if (code_point < 0x10000) {
      add(0xe0 | (code_point >> 12));
    } else {
      add(0xf0 | (code_point >> 18));
      add(0x80 | ((code_point >> 12) & 0x3f));
    }
    add(0x80 | ((code_point >> 6) & 0x3f));
  }
  add(0x80 | (code_point & 0x3f));
}

// number = [ "-" ] int [ frac ] [ exp ]   (RFC 8259, section 6)
bool is_number(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > first;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const size_t first = at;
  if (!digits() || (text[first] == '0' && at > first + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

}  // namespace

JsonReader::JsonReader(const File& file, int64_t begin, int64_t end, std::string what)
    : owned_(std::make_unique<FileBytes>(file, begin, end)),
      source_(*owned_),
      what_(std::move(what)),
      buffer_(static_cast<size_t>(std::min(kBufferBytes, std::max(end - begin, int64_t{1})))) {}

JsonReader::JsonReader(ByteSource& source, std::string what)
    : source_(source), what_(std::move(what)), buffer_(kBufferBytes) {}

void JsonReader::fail(std::string_view words) const {
  throw InvalidInput("{}: {} (line {}, byte {})", what_, words, line_, position_bytes());
}

int JsonReader::look() {
  if (at_ == filled_) {
    before_buffer_ += static_cast<int64_t>(filled_);
    at_ = 0;
    filled_ = static_cast<size_t>(source_.read(buffer_.data(), static_cast<int64_t>(buffer_.size())));
    if (filled_ == 0) return kEnd;
  }
  return static_cast<uint8_t>(buffer_[at_]);
}

int JsonReader::take() {
  const int byte = look();
  if (byte == kEnd) fail("the JSON ends in the middle of a value");
  ++at_;
  if (byte == '\n') ++line_;
  return byte;
}

int JsonReader::look_behind_space() {
  int byte = look();
  while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
    take();
    byte = look();
  }
  return byte;
}

void JsonReader::expect(char byte) {
  const int got = look_behind_space();
  if (got != byte) fail(fmt::format("not the JSON that belongs here; expected '{}'", byte));
  take();
}

JsonReader::Kind JsonReader::peek() {
  const int byte = look_behind_space();
  switch (byte) {
    case '{': return Kind::object;
    case '[': return Kind::array;
    case '"': return Kind::text;
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    case kEnd: fail("the JSON ends where a value is expected");
    default:
      if (byte != '-' && byte != 'N' && byte != 'I' && !is_digit(byte)) fail("not valid JSON; expected a value");
      return Kind::number;
  }
}

void JsonReader::open(char bracket) {
  expect(bracket);
  if (++depth_ >= kMaxDepth) fail(fmt::format("JSON nested deeper than {} levels", kMaxDepth));
  has_members_ &= ~(uint64_t{1} << depth_);
}

bool JsonReader::next_in(char closing) {
  const uint64_t bit = uint64_t{1} << depth_;
  if (look_behind_space() == closing) {
    take();
    --depth_;
    return false;
  }
  if ((has_members_ & bit) != 0) expect(',');
  has_members_ |= bit;
  return true;
}

void JsonReader::begin_object() { open('{'); }
void JsonReader::begin_array() { open('['); }
bool JsonReader::next_element() { return next_in(']'); }

bool JsonReader::next_key(std::string& key, size_t max_bytes) {
  if (!next_in('}')) return false;
  key = text(max_bytes);
  expect(':');
  return true;
}

bool JsonReader::boolean() {
  const bool value = look_behind_space() == 't';
  read_literal(value ? "true" : "false");
  return value;
}

std::string JsonReader::text(size_t max_bytes) {
  std::string result;
  text_in_pieces([&](std::string_view piece) {
    if (result.size() + piece.size() > max_bytes)
      fail(fmt::format("a name or text is longer than {} bytes", max_bytes));
    result += piece;
  });
  return result;
}

void JsonReader::text_in_pieces(const std::function<void(std::string_view)>& sink) {
  expect('"');
  read_string(sink);
}

uint32_t JsonReader::read_hex() {
  uint32_t value = 0;
  for (int digit = 0; digit < 4; ++digit) {
    const int byte = take();
    const int lower = byte | 0x20;
    if (!is_digit(byte) && (lower < 'a' || lower > 'f')) fail("a \\u escape needs four hexadecimal digits");
    value = value * 16 + static_cast<uint32_t>(is_digit(byte) ? byte - '0' : lower - 'a' + 10);
  }
  return value;
}

// Behind a backslash: the character that is meant.
uint32_t JsonReader::read_escape() {
  const int byte = take();
  switch (byte) {
    case '"':
    case '\\':
    case '/': return static_cast<uint32_t>(byte);
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: fail("unknown escape in a string");
  }
  const uint32_t high = read_hex();
  if (high < 0xd800 || high > 0xdfff) return high;
  if (high > 0xdbff || take() != '\\' || take() != 'u') fail("half of a surrogate pair in a string");
  const uint32_t low = read_hex();
  if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair in a string");
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

// The opening quote is consumed.
void JsonReader::read_string(const std::function<void(std::string_view)>& sink) {
  std::string piece;
  Utf8Check utf8;
  while (true) {
    if (piece.size() + 4 > kPieceBytes && utf8.is_between_characters()) {
      sink(piece);
      piece.clear();
    }
    if (utf8.is_between_characters()) {
      const size_t room = std::min(kPieceBytes - 4 - piece.size(), filled_ - at_);
      const size_t plain = count_plain({buffer_.data() + at_, room});
      piece.append(buffer_.data() + at_, plain);
      at_ += plain;
    }
    const int byte = take();
    if (byte < 0x20) fail("a bare control character in a string");
    if (!utf8.feed(static_cast<uint8_t>(byte))) fail("a string is not valid UTF-8");
    if (byte == '"') break;
    if (byte == '\\') {
      append_utf8(piece, read_escape());
    } else {
      piece.push_back(static_cast<char>(byte));
    }
  }
  if (!piece.empty()) sink(piece);
}

void JsonReader::read_number(std::string& digits) {
  look_behind_space();
  if (look() == '-') digits.push_back(static_cast<char>(take()));
  const std::string_view literal = look() == 'I' ? "Infinity" : look() == 'N' && digits.empty() ? "NaN" : "";
  if (!literal.empty()) {
    read_literal(literal);
    digits += literal;
    return;
  }
  for (int byte = look(); is_digit(byte) || byte == '-' || byte == '+' || byte == '.' || byte == 'e' || byte == 'E';
       byte = look()) {
    if (digits.size() == kMaxNumberBytes) fail(fmt::format("a number longer than {} characters", kMaxNumberBytes));
    digits.push_back(static_cast<char>(take()));
  }
  if (!is_number(digits)) fail("not valid JSON; expected a number");
}

std::string JsonReader::number() {
  std::string digits;
  read_number(digits);
  return digits;
}

int64_t JsonReader::integer(int64_t min, int64_t max) {
  std::string digits;
  read_number(digits);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < min || value > max) {
    fail(fmt::format("expected an integer from {} to {}, got {}", min, max, digits));
  }
  return value;
}

double JsonReader::real() {
  std::string digits;
  read_number(digits);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc()) fail("a number that no double can hold");
  if (!std::isfinite(value)) fail(fmt::format("expected a number, got {}", digits));
  return value;
}

void JsonReader::read_literal(std::string_view literal) {
  for (const char byte : literal) {
    if (take() != byte) fail("not valid JSON; expected a value");
  }
}

void JsonReader::skip() {
  const int outside = depth_;
  uint64_t is_object = 0;  // bit d: the container at depth d is an object
  const auto ignore = [](std::string_view) {};
  std::string digits;
  do {
    if (depth_ > outside) {
      const bool in_object = (is_object >> depth_ & 1) != 0;
      if (!next_in(in_object ? '}' : ']')) continue;
      if (in_object) {
        text_in_pieces(ignore);
        expect(':');
      }
    }
    switch (peek()) {
      case Kind::object:
        begin_object();
        is_object |= uint64_t{1} << depth_;
        break;
      case Kind::array:
        begin_array();
        is_object &= ~(uint64_t{1} << depth_);
        break;
      case Kind::text: text_in_pieces(ignore); break;
      case Kind::boolean: boolean(); break;
      case Kind::null: read_literal("null"); break;
      case Kind::number:
        digits.clear();
        read_number(digits);
        break;
    }
  } while (depth_ > outside);
}

bool JsonReader::at_end() { return look_behind_space() == kEnd; }

void JsonReader::finish() {
  if (!at_end()) fail("something follows the end of the JSON");
}

std::string printable(std::string_view text) {
  std::string result(text.substr(0, kMaxPrintedBytes));
  for (char& byte : result) {
    if (byte < 0x20 || byte > 0x7e) byte = '?';
  }
  return text.size() > kMaxPrintedBytes ? result + "..." : result;
}

}  // namespace headroom
