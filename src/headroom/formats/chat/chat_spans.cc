#include "headroom/formats/chat/chat_spans.h"

#include <algorithm>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

Json first_messages(const Json& messages, size_t count) {
  return Json(messages.begin(), messages.begin() + static_cast<int64_t>(count));
}

bool is_assistant(const Json& message) {
  const auto role = message.find("role");
  return role != message.end() && *role == "assistant";
}

// Bytes that both begin with, whole characters.
int64_t common_bytes(std::string_view a, std::string_view b) {
  size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (at > 0 && at < a.size() && (static_cast<uint8_t>(a[at]) & 0xc0) == 0x80) --at;
  return static_cast<int64_t>(at);
}

// What the assistant adds, message by message.
std::vector<TextSpan> spans_of_turns(const ChatTemplate& chat_template, const Json& messages, std::string_view whole) {
  std::vector<TextSpan> spans;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!is_assistant(messages[i])) continue;
    if (i == 0) {
      throw InvalidInput("{}: the conversation begins with the assistant; expected a message of the user before its",
                         chat_template.where());
    }
    const bool is_last = i + 1 == messages.size();
    const std::string told =
        is_last ? std::string(whole) : chat_template.render(first_messages(messages, i + 1), false).text;
    if (!whole.starts_with(told)) {
      throw InvalidInput(
          "{}: the chat template writes the first {} messages otherwise when more follow (it drops the reasoning of "
          "earlier turns, say), so that the assistant's part cannot be told; try a conversation for each answer",
          chat_template.where(), i + 1);
    }
    const std::string asked = chat_template.render(first_messages(messages, i), true).text;
    spans.push_back({common_bytes(told, asked), static_cast<int64_t>(told.size())});
  }
  return spans;
}

}  // namespace

std::vector<ChatSegment> chat_segments(const ChatTemplate& chat_template, const Json& messages) {
  const RenderedChat rendered = chat_template.render(messages, false);
  const std::string_view whole = rendered.text;
  const std::vector<TextSpan> spans =
      chat_template.marks_generation() ? rendered.generated : spans_of_turns(chat_template, messages, whole);
  std::vector<ChatSegment> segments;
  const auto add = [&](int64_t begin, int64_t end, bool counts) {
    if (begin >= end) return;
    const std::string_view text = whole.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    if (!segments.empty() && segments.back().counts == counts) {
      segments.back().text += text;
    } else {
      segments.push_back({std::string(text), counts});
    }
  };
  int64_t at = 0;
  for (const TextSpan& span : spans) {
    add(at, span.begin, false);
    add(std::max(at, span.begin), span.end, true);
    at = std::max(at, span.end);
  }
  add(at, static_cast<int64_t>(whole.size()), false);
  return segments;
}

}  // namespace headroom
