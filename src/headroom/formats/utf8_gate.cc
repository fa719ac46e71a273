#include "headroom/formats/utf8_gate.h"

#include "headroom/formats/utf8.h"

namespace headroom {

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
  first_.end_piece();
}

}  // namespace headroom
