// A conversation with a model: the messages so far, and what the model is to continue.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "headroom/formats/chat/chat_template.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/headroom.h"
#include "headroom/models/model.h"

namespace headroom {

// Bytes of the chat template that options.chat asks for; 0 without it. Throws as find_chat_template does.
int64_t chat_template_bytes_of(const GenerateOptions& options);

class Conversation {
 public:
  // All borrowed; `options` has the context that was planned. Begins with options.system, if there is one.
  Conversation(const GenerateOptions& options, const ChatTemplate& chat_template, const Tokenizer& tokenizer,
               const Model& model);

  // Adds a message of the user, with U+FFFD for what is not UTF-8, and writes the conversation with the template's
  // prompt for an answer into prompt(). False, and the message is taken back, if the context has no room for it and a
  // token more. Throws as ChatTemplate::render does.
  bool ask(const std::string& message);
  const std::vector<int32_t>& prompt() const { return prompt_; }
  // Why ask() said no: a sentence.
  std::string describe_full() const;

  // Adds what the assistant wrote.
  void answer(const std::string& text);

 private:
  bool add(const char* role, const std::string& text);

  const GenerateOptions& options_;
  const ChatTemplate& chat_template_;
  const Tokenizer& tokenizer_;
  const Model& model_;
  int64_t max_bytes_;
  int64_t bytes_ = 0;
  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();
  std::vector<int32_t> prompt_;
};

}  // namespace headroom
