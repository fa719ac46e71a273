// A conversation as text for training: which of it the model is to write itself.
#pragma once

#include <string>
#include <vector>

#include "headroom/formats/chat/chat_template.h"

namespace headroom {

struct ChatSegment {
  std::string text;
  bool counts = false;  // the assistant's: in the loss, the token that ends the turn included
};

// The rendered conversation, cut where what counts begins and ends; no segment is empty, neighbours differ in `counts`.
//
// {% generation %} blocks say what counts, if the template has them. Else, for each message i of the role "assistant":
// the text of messages 0..i, which must begin the text of the whole conversation, behind what it has in common with the
// text of messages 0..i-1 and the generation prompt. Throws InvalidInput where the template takes back what it wrote
// before (it drops the reasoning of earlier turns, say), and what ChatTemplate::render throws.
std::vector<ChatSegment> chat_segments(const ChatTemplate& chat_template, const nlohmann::ordered_json& messages);

}  // namespace headroom
