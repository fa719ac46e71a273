#include "headroom/data/tokenizer_encoder.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/data/data_file.h"
#include "headroom/data/document_encoder.h"
#include "headroom/data/json_value.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"

namespace headroom {
namespace {

// Of what decides the ids: all of a tokenizer.json and what files beside it change of it, but not the weights beside
// the vocabulary of a GGUF file.
uint64_t fingerprint_of_tokenizer(const std::string& path, const Tokenizer& tokenizer) {
  if (GgufFile::is_gguf(path)) {
    const GgufFile file(path);
    return GgufVocabulary(file).fingerprint();
  }
  const uint64_t of_file = fingerprint_of_file(Tokenizer::file_of(path));
  const std::string& changes = tokenizer.parts().changes;
  if (changes.empty()) return of_file;
  Fingerprint all;
  all.add(static_cast<int64_t>(of_file));
  all.add(changes);
  return all.value();
}

// Of a model without a chat template, or with one that is damaged, nothing; it is refused when a conversation comes.
std::optional<ChatTemplateSource> sound_template_of(const std::string& model) {
  try {
    return chat_template_of(model);
  } catch (const InvalidInput&) {
    return std::nullopt;
  }
}

uint64_t fingerprint_of(const std::string& model, const Tokenizer& tokenizer) {
  Fingerprint all;
  all.add(static_cast<int64_t>(fingerprint_of_tokenizer(model, tokenizer)));
  const std::optional<ChatTemplateSource> source = sound_template_of(model);
  if (!source) return all.value();
  for (const std::string& text : {source->text, source->tokens.bos, source->tokens.eos}) {
    all.add(static_cast<int64_t>(text.size()));
    all.add(text);
  }
  return all.value();
}

}  // namespace

TokenizerEncoder::TokenizerEncoder(const std::string& path, int64_t model_vocabulary)
    : model_(path),
      tokenizer_(path),
      encoder_(tokenizer_),
      has_chat_template_(sound_template_of(path).has_value()),
      fingerprint_(fingerprint_of(path, tokenizer_)) {
  if (tokenizer_.vocab_size() > model_vocabulary) {
    throw InvalidInput("{}: the tokenizer has {} ids, the model's embedding {} rows; they do not belong together",
                       Tokenizer::file_of(path), tokenizer_.vocab_size(), model_vocabulary);
  }
}

void TokenizerEncoder::begin(Frame frame, const Emit& emit) {
  frame_ = frame;
  emit_ = &emit;
  if (frame != Frame::none) emit(tokenizer_.parts().before);
  encoder_.begin(false, emit);
}

void TokenizerEncoder::end() {
  encoder_.finish();
  if (frame_ == Frame::whole) (*emit_)(tokenizer_.parts().after);
}

ChatText TokenizerEncoder::conversation(const ChatExample& example) {
  if (!chat_template_) chat_template_.emplace(load_chat_template(model_, kMaxExampleBytes));
  return chat_text(*chat_template_, example);
}

bool TokenizerEncoder::has_token_before() const { return !tokenizer_.parts().before.empty(); }

int64_t example_bound_bytes(const std::string& model, std::span<const std::string> files, int64_t max_example_tokens) {
  if (!any_hold_records(files)) return 0;
  const int64_t examples = DocumentEncoder::memory_bound_bytes(max_example_tokens);
  const std::optional<ChatTemplateSource> source = sound_template_of(model);
  if (!source) return examples;
  const int64_t source_bytes = static_cast<int64_t>(source->text.size());
  return add_sizes(examples, ChatTemplate::memory_bound_bytes(source_bytes, kMaxExampleBytes), "examples");
}

}  // namespace headroom
