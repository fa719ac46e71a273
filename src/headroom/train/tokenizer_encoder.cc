#include "headroom/train/tokenizer_encoder.h"

#include "headroom/base/errors.h"
#include "headroom/train/text_source.h"

namespace headroom {

TokenizerEncoder::TokenizerEncoder(const std::string& path, int64_t model_vocabulary)
    : tokenizer_(path), encoder_(tokenizer_), fingerprint_(fingerprint_of_file(Tokenizer::file_of(path))) {
  if (tokenizer_.vocab_size() > model_vocabulary) {
    throw InvalidInput("{}: the tokenizer has {} ids, the model's embedding {} rows; they do not belong together",
                       Tokenizer::file_of(path), tokenizer_.vocab_size(), model_vocabulary);
  }
}

void TokenizerEncoder::feed(std::string_view fragment, const Emit& emit) {
  if (!in_document_) {
    sink_ = emit;
    encoder_.begin(false, sink_);
    in_document_ = true;
  }
  encoder_.text(fragment);
}

void TokenizerEncoder::end_document(const Emit&) {
  if (in_document_) encoder_.finish();
  in_document_ = false;
}

}  // namespace headroom
