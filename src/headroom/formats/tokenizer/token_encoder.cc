#include "headroom/formats/tokenizer/token_encoder.h"

#include "headroom/formats/tokenizer/tokenizer_parts.h"

namespace headroom {

TokenEncoder::TokenEncoder(const Tokenizer& tokenizer) : parts_(tokenizer.parts()), bpe_(parts_.model, parts_.joined) {
  TextStage* first = &bpe_;
  for (auto component = parts_.stages.rbegin(); component != parts_.stages.rend(); ++component) {
    stages_.push_back((*component)->make_stage(*first));
    first = stages_.back().get();
  }
  gate_.emplace(*first);
}

void TokenEncoder::begin(bool add_special_tokens, const TokenSink& sink) {
  sink_ = &sink;
  bpe_.set_sink(sink_);
  add_special_tokens_ = add_special_tokens;
  if (add_special_tokens && !parts_.before.empty()) sink(parts_.before);
}

void TokenEncoder::text(std::string_view bytes) { gate_->text(bytes); }

void TokenEncoder::finish() {
  gate_->end_text();
  if (add_special_tokens_ && !parts_.after.empty()) (*sink_)(parts_.after);
}

}  // namespace headroom
