// Conversations as JSON values of a record -> messages as chat templates take them, and which of them are learned:
// OpenAI's and transformers' form ("role", "content"), ShareGPT's ("from", "value"), texts in parts, weights. What is
// known to none of them is refused. All throw InvalidInput, which says what and not where.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "headroom/formats/chat/chat_spans.h"

namespace headroom {

inline constexpr size_t kMaxMessages = 1024;  // of a conversation

// Adds the messages of `list`, the value of the field `name`. `learned`: whether what the assistant says in them is,
// where a message does not say otherwise.
void add_messages(ChatExample& example, const nlohmann::ordered_json& list, std::string_view name, bool learned);

// What a field beside the messages hands to the template: "tools" and "documents", lists, or their JSON as a text;
// "chat_template_kwargs", an object of variables.
void add_variables(ChatExample& example, std::string_view name, const nlohmann::ordered_json& value);

// Whether a value of "weight" or "train" says that something is learned: 0, 1, false or true.
bool is_learned(std::string_view name, const nlohmann::ordered_json& value);

}  // namespace headroom
