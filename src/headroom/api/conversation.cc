#include "headroom/api/conversation.h"

#include "headroom/api/prompt.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/formats/tokenizer/utf8.h"
#include "headroom/generate/generation_job.h"

namespace headroom {
namespace {

constexpr int64_t kMessageBytes = 512;  // of a message beside its text

}  // namespace

int64_t chat_template_bytes_of(const GenerateOptions& options) {
  return options.chat ? static_cast<int64_t>(find_chat_template(options.model).text.size()) : 0;
}

Conversation::Conversation(const GenerateOptions& options, const ChatTemplate& chat_template,
                           const Tokenizer& tokenizer, const Model& model)
    : options_(options),
      chat_template_(chat_template),
      tokenizer_(tokenizer),
      model_(model),
      max_bytes_(conversation_bytes(options.context)) {
  if (!options.system.empty() && !add("system", options.system)) throw InvalidInput("--system: {}", describe_full());
}

bool Conversation::add(const char* role, const std::string& text) {
  std::string valid;
  append_lossy_utf8(valid, text, true);
  const int64_t bytes = kMessageBytes + static_cast<int64_t>(valid.size());
  if (bytes > max_bytes_ - bytes_) return false;
  bytes_ += bytes;
  messages_.push_back({{"role", role}, {"content", std::move(valid)}});
  return true;
}

bool Conversation::ask(const std::string& message) {
  const int64_t before = bytes_;
  if (!add("user", message)) return false;
  const std::string text = chat_template_.render(messages_, true).text;
  prompt_ = encode_as_it_is(text, options_.model, tokenizer_, model_, options_.context);
  if (prompt_.empty()) {
    throw InvalidInput("{}: the chat template writes nothing for this conversation", chat_template_.where());
  }
  if (static_cast<int64_t>(prompt_.size()) < options_.context) return true;
  messages_.erase(messages_.size() - 1);
  bytes_ = before;
  return false;
}

std::string Conversation::describe_full() const {
  return fmt::format("the conversation does not fit the context of {} tokens; try a larger --context",
                     format_count(options_.context));
}

void Conversation::answer(const std::string& text) {
  // What has no room is not forgotten silently: there will be none for the next question either.
  if (!add("assistant", text)) bytes_ = max_bytes_;
}

}  // namespace headroom
