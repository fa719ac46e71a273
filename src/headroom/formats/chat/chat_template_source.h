// Where a model keeps its chat template, and the tokens that the template names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "headroom/formats/chat/chat_template.h"

namespace headroom {

// The text of the template of `model`: of a directory, from chat_template.jinja or, without that file, the member
// chat_template of tokenizer_config.json (a text, or a list of {name, template} of which "default" is taken); of a GGUF
// file, tokenizer.chat_template.
struct ChatTemplateSource {
  std::string text;
  std::string where;  // the file, for messages
  ChatTokens tokens;
};

// Nothing where the model has no template.
std::optional<ChatTemplateSource> chat_template_of(const std::string& model);

// Throws InvalidInput that says what is missing where the model has no template.
ChatTemplateSource find_chat_template(const std::string& model);

// The same, read.
ChatTemplate load_chat_template(const std::string& model, int64_t max_text_bytes = ChatTemplate::kDefaultTextBytes);

}  // namespace headroom
