#include "headroom/formats/token_encoder.h"

#include "headroom/formats/tokenizer_parts.h"
#include "headroom/formats/utf8.h"

namespace headroom {

TokenEncoder::TokenEncoder(const Tokenizer& tokenizer)
    : parts_(tokenizer.parts()), bpe_(parts_.model, parts_.joined), first_(&bpe_) {
  for (auto component = parts_.stages.rbegin(); component != parts_.stages.rend(); ++component) {
    stages_.push_back((*component)->make_stage(*first_));
    first_ = stages_.back().get();
  }
}

void TokenEncoder::begin(bool add_special_tokens, const TokenSink& sink) {
  sink_ = &sink;
  bpe_.set_sink(sink_);
  add_special_tokens_ = add_special_tokens;
  if (add_special_tokens && !parts_.before.empty()) sink(parts_.before);
}

void TokenEncoder::text(std::string_view bytes) {
  while (!carry_.empty() && !bytes.empty()) {
    carry_ += bytes[0];
    bytes.remove_prefix(1);
    const Utf8Char next = read_utf8(carry_);
    if (next.state == Utf8State::truncated) continue;
    // An invalid beginning leaves the byte that showed it to be so; that one may begin a character of its own.
    const std::string whole = std::move(carry_);
    carry_.clear();
    text_after_carry(whole);
  }
  text_after_carry(bytes);
}

void TokenEncoder::text_after_carry(std::string_view bytes) {
  size_t begin = 0;
  size_t at = 0;
  const auto pass_valid = [&] {
    if (at > begin) first_->text(bytes.substr(begin, at - begin));
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
    first_->bytes(bytes.substr(at, next.length));
    at += next.length;
    begin = at;
  }
  pass_valid();
}

void TokenEncoder::finish() {
  if (!carry_.empty()) first_->bytes(carry_);
  carry_.clear();
  first_->end_piece();
  if (add_special_tokens_ && !parts_.after.empty()) (*sink_)(parts_.after);
}

}  // namespace headroom
