#include "headroom/formats/chat/chat_template.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/jinja_json.h"
#include "headroom/formats/chat/jinja_parser.h"
#include "headroom/formats/chat/jinja_run.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {

struct JinjaProgram {
  jinja::Program program;
};

namespace {

// Values while a template runs: the conversation, what is cut from it and put together again.
int64_t live_bytes(int64_t max_text_bytes) { return 3 * max_text_bytes + 256 * kKiB; }

void check_utf8(std::string_view source, const std::string& where) {
  Utf8Check check;
  for (const char byte : source) {
    if (!check.feed(static_cast<uint8_t>(byte))) throw InvalidInput("{}: the chat template is not UTF-8", where);
  }
  if (!check.is_between_characters()) throw InvalidInput("{}: the chat template ends inside of a character", where);
}

// transformers lets templates find a message's reasoning under its newer name whatever the message calls it, and under
// `thinking`.
nlohmann::ordered_json with_reasoning_names(const nlohmann::ordered_json& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) continue;
    nlohmann::ordered_json named = {{"thinking", *found}};
    for (const auto& [key, value] : message.items()) named[key] = value;
    named["reasoning_content"] = *found;
    return named;
  }
  return message;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string where, ChatTokens tokens, int64_t max_text_bytes)
    : where_(std::move(where)), tokens_(std::move(tokens)), max_text_bytes_(max_text_bytes) {
  if (static_cast<int64_t>(source.size()) > kMaxSourceBytes) {
    throw InvalidInput("{}: the chat template has {} bytes; expected at most {}", where_,
                       format_count(static_cast<int64_t>(source.size())), format_count(kMaxSourceBytes));
  }
  check_utf8(source, where_);
  program_ = std::make_unique<JinjaProgram>(JinjaProgram{jinja::parse(source, where_)});
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

int64_t ChatTemplate::memory_bound_bytes(int64_t source_bytes, int64_t max_text_bytes) {
  return jinja::program_bound_bytes(std::min(source_bytes, kMaxSourceBytes)) + live_bytes(max_text_bytes) +
         2 * max_text_bytes;
}

RenderedChat ChatTemplate::render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                                  const nlohmann::ordered_json& extra) const {
  jinja::Run run(program_->program, where_, {live_bytes(max_text_bytes_), max_text_bytes_});
  if (!messages.is_array()) throw InvalidInput("messages: expected an array of messages, got {}", messages.type_name());
  std::vector<jinja::Value> values;
  for (const auto& message : messages) {
    if (!message.is_object())
      throw InvalidInput("messages: expected objects with role and content, got {}", message.type_name());
    values.push_back(jinja::from_json(run, with_reasoning_names(message), "messages"));
  }
  run.define("messages", run.list(std::move(values)));
  run.define("add_generation_prompt", jinja::Value(add_generation_prompt));
  run.define("tools", jinja::Value(jinja::None{}));
  run.define("documents", jinja::Value(jinja::None{}));
  if (!tokens_.bos.empty()) run.define("bos_token", run.text(tokens_.bos));
  if (!tokens_.eos.empty()) run.define("eos_token", run.text(tokens_.eos));
  for (const auto& [name, value] : extra.items()) run.define(name, jinja::from_json(run, value, name));
  run.execute(program_->program.body);
  RenderedChat rendered;
  for (const auto& [begin, end] : run.generated()) rendered.generated.push_back({begin, end});
  rendered.text = run.take_output();
  return rendered;
}

bool ChatTemplate::marks_generation() const { return program_->program.marks_generation; }
const std::string& ChatTemplate::where() const { return where_; }

}  // namespace headroom
