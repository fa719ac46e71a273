// A conversation as text for training: which of it the model is to write itself.
#pragma once

#include <string>
#include <vector>

#include "headroom/formats/chat/chat_template.h"

namespace headroom {

struct ChatExample {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  // of the template, beside them: "tools"
  std::vector<bool> learned;  // of each message: whether its text counts; only the assistant's do
};

struct ChatSegment {
  std::string text;
  bool counts = false;  // the assistant's: in the loss, the token that ends the turn included
};

struct ChatText {
  std::vector<ChatSegment> segments;  // none is empty, neighbours differ in `counts`
  // The template writes nothing of reasoning that the assistant's messages have; or of tools and documents.
  bool leaves_reasoning_out = false;
  bool leaves_variables_out = false;
};

// The rendered conversation, cut where what counts begins and ends.
//
// {% generation %} blocks say what counts, if the template has them. Else, for each message i of the role "assistant":
// the text of messages 0..i, where it begins that of the whole conversation, behind what it has in common with the text
// of messages 0..i-1 and the generation prompt. Where the template writes message i otherwise once others follow it
// (without its reasoning, without the token that ends a text): what of messages 0..i, asked for the next answer, stands
// behind that prompt in the whole, from the message's reasoning or content to the end of its turn. Throws InvalidInput
// where that is not to be found, and what ChatTemplate::render throws.
ChatText chat_text(const ChatTemplate& chat_template, const ChatExample& example);

}  // namespace headroom
