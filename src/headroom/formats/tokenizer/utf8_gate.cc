#include "headroom/formats/tokenizer/utf8_gate.h"

#include <cstring>

#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

// Where the first byte that is not ASCII may be, from `at` on.
size_t skip_ascii(std::string_view bytes, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (uint64_t word = 0; at + sizeof word <= bytes.size(); at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  return at;
}

}  // namespace

void Utf8Gate::text(std::string_view bytes) {
  while (!carry_.empty() && !bytes.empty()) {
    carry_ += bytes[0];
    bytes.remove_prefix(1);
    const Utf8Char next = read_utf8(carry_);
    if (next.state == Utf8State::truncated) continue;
    // An invalid beginning leaves the byte that showed it to be so; that one may begin a character of its own.
    const std::string whole = std::move(carry_);
    carry_.clear();
    pass(whole);
  }
  pass(bytes);
}

void Utf8Gate::pass(std::string_view bytes) {
  size_t begin = 0;
  size_t at = 0;
  const auto pass_valid = [&] {
    if (at > begin) first_.text(bytes.substr(begin, at - begin));
  };
  while (at < bytes.size()) {
    at = skip_ascii(bytes, at);
    if (at == bytes.size()) break;
    const Utf8Char next = read_utf8(bytes.substr(at));
    if (next.state == Utf8State::valid) {
      at += next.length;
      continue;
    }
    pass_valid();
    if (next.state == Utf8State::truncated) {
      carry_ = bytes.substr(at);
      return;
    }
    first_.bytes(bytes.substr(at, next.length));
    at += next.length;
    begin = at;
  }
  pass_valid();
}

void Utf8Gate::end_text() {
  if (!carry_.empty()) first_.bytes(carry_);
  carry_.clear();
  first_.end_text();
}

}  // namespace headroom
