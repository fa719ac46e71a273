#include "headroom/data/chat_examples.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/data/json_value.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<std::string_view, const char*> kSpeakers[] = {
    {"human", "user"},        {"user", "user"},      {"gpt", "assistant"},    {"assistant", "assistant"},
    {"chatgpt", "assistant"}, {"bard", "assistant"}, {"bing", "assistant"},   {"model", "assistant"},
    {"system", "system"},     {"tool", "tool"},      {"observation", "tool"}, {"function_response", "tool"},
};

// What only decides what is learned, or whom a template is called with.
constexpr std::string_view kArguments[] = {"messages",      "tools",    "documents",   "add_generation_prompt",
                                           "chat_template", "tokenize", "conversation"};

std::string role_of(const Json& speaker) {
  if (!speaker.is_string()) throw InvalidInput("a message without a text \"from\"");
  const std::string name = speaker;
  for (const auto& [from, role] : kSpeakers) {
    if (name == from) return role;
  }
  throw InvalidInput("a message from \"{}\"; expected human, gpt, system or tool", printable(name));
}

// {"type": "text", "text": ...} one behind the other, as templates that know parts write them.
std::string text_of_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    const auto words = part.is_object() ? part.find("text") : part.end();
    if (part.is_string()) {
      text += part.get_ref<const std::string&>();
    } else if (words != part.end() && words->is_string()) {
      text += words->get_ref<const std::string&>();
    } else {
      const std::string type = part.is_object() && part.contains("type") ? part["type"].dump() : "no text";
      throw InvalidInput("a part of \"content\" is {}; expected {{\"type\": \"text\", \"text\": ...}}",
                         printable(type));
    }
  }
  return text;
}

bool has_tool_calls(const Json& message) {
  const auto calls = message.find("tool_calls");
  return calls != message.end() && calls->is_array() && !calls->empty();
}

// An assistant that calls tools need not say anything.
void check_content(Json& message) {
  const auto content = message.find("content");
  if (content != message.end() && content->is_array()) {
    *content = text_of_parts(*content);
  } else if (content == message.end() || !content->is_string()) {
    const bool is_missing = content == message.end() || content->is_null();
    if (!is_missing || !has_tool_calls(message)) throw InvalidInput("a message without a text \"content\"");
  }
}

// What is neither a text nor null might change what is to be learned, so it is not passed over.
void check_field(const std::string& name, const Json& value) {
  if (value.is_string() || value.is_null() || name == "content") return;
  if (name == "tool_calls") {
    if (!value.is_array()) throw InvalidInput("expected a list in \"tool_calls\"");
    return;
  }
  throw InvalidInput("expected a text in \"{}\"", printable(name));
}

Json json_in(std::string_view name, const std::string& text) {
  TextBytes bytes(text);
  JsonReader json(bytes, fmt::format("the JSON in \"{}\"", name));
  RecordRoom room(kMaxExampleBytes, kMaxExampleValues);
  Json value = read_json_value(json, room);
  json.finish();
  return value;
}

void add_message(ChatExample& example, const Json& given, bool learned) {
  if (!given.is_object()) throw InvalidInput("expected a message, an object with role and content");
  Json message = Json::object();
  std::optional<bool> says_learned;
  for (const auto& [name, value] : given.items()) {
    if (name == "weight" || name == "train") {
      if (value.is_null()) continue;
      const bool is = is_learned(name, value);
      says_learned = says_learned.value_or(true) && is;
    } else if (name == "from" && !given.contains("role")) {
      message["role"] = role_of(value);
    } else if (name == "value" && !given.contains("content")) {
      message["content"] = value;
    } else {
      check_field(name, value);
      message[name] = value;
    }
  }
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string()) throw InvalidInput("a message without a text \"role\"");
  check_content(message);
  const bool is_assistant = *role == "assistant";
  if (says_learned.value_or(false) && !is_assistant) {
    throw InvalidInput("a message of the role \"{}\" that is to be learned; expected weights of the assistant's only",
                       printable(role->get<std::string>()));
  }
  example.learned.push_back(is_assistant && says_learned.value_or(learned));
  example.messages.push_back(std::move(message));
}

}  // namespace

void add_messages(ChatExample& example, const Json& list, std::string_view name, bool learned) {
  if (!list.is_array()) throw InvalidInput("expected a list in \"{}\"", name);
  if (list.empty()) throw InvalidInput("a conversation without messages");
  for (const Json& message : list) {
    if (example.messages.size() == kMaxMessages) throw InvalidInput("more than {} messages", kMaxMessages);
    add_message(example, message, learned);
  }
}

void add_variables(ChatExample& example, std::string_view name, const Json& value) {
  if (name != "chat_template_kwargs") {
    Json list = value.is_string() ? json_in(name, value.get_ref<const std::string&>()) : value;
    if (!list.is_array()) throw InvalidInput("expected a list in \"{}\"", name);
    example.variables[std::string(name)] = std::move(list);
    return;
  }
  if (!value.is_object()) throw InvalidInput("expected an object in \"chat_template_kwargs\"");
  for (const auto& [variable, content] : value.items()) {
    if (std::find(std::begin(kArguments), std::end(kArguments), variable) != std::end(kArguments)) {
      throw InvalidInput("\"{}\" in \"chat_template_kwargs\"; expected variables of the chat template alone",
                         printable(variable));
    }
    example.variables[variable] = content;
  }
}

bool is_learned(std::string_view name, const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value == "0" || value == "1") return value == "1";  // a cell of a table
  if (value.is_number() && (value == 0 || value == 1)) return value == 1;
  throw InvalidInput("a \"{}\" of {}; expected 0 or 1: what is learned counts the same", name, printable(value.dump()));
}

}  // namespace headroom
