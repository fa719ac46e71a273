#include "headroom/formats/tokenizer/stream_decoder.h"

#include <algorithm>

#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : parts_(tokenizer.parts()), skip_special_tokens_(skip_special_tokens), decoding_(parts_.decoder) {}

std::string_view StreamDecoder::push(int32_t id) {
  text_.clear();
  if (skip_special_tokens_ && std::binary_search(parts_.special_ids.begin(), parts_.special_ids.end(), id))
    return text_;
  if (!parts_.model.pieces.contains(id)) return text_;
  piece_ = parts_.text_of(id);
  decoding_.push(piece_, pending_);
  pending_.erase(0, append_lossy_utf8(text_, pending_, false));
  return text_;
}

std::string_view StreamDecoder::finish() {
  text_.clear();
  decoding_.finish(pending_);
  append_lossy_utf8(text_, pending_, true);
  pending_.clear();
  return text_;
}

}  // namespace headroom
