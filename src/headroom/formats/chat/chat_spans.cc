#include "headroom/formats/chat/chat_spans.h"

#include <algorithm>
#include <optional>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kReasoningBegin = "<think>";
constexpr std::string_view kReasoningEnd = "</think>";
constexpr size_t kShownBytes = 40;

Json first_messages(const Json& messages, size_t count) {
  return Json(messages.begin(), messages.begin() + static_cast<int64_t>(count));
}

bool is_assistant(const Json& message) {
  const auto role = message.find("role");
  return role != message.end() && *role == "assistant";
}

std::string_view stripped(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

std::string_view text_in(const Json& message, const char* name) {
  const auto field = message.find(name);
  return field != message.end() && field->is_string() ? std::string_view(field->get_ref<const std::string&>()) : "";
}

// What a message says behind its reasoning.
std::string_view answer_in(const Json& message) {
  std::string_view content = text_in(message, "content");
  const size_t end = content.rfind(kReasoningEnd);
  if (end != std::string_view::npos) content.remove_prefix(end + kReasoningEnd.size());
  return stripped(content);
}

std::string_view reasoning_in(const Json& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    if (const std::string_view text = stripped(text_in(message, name)); !text.empty()) return text;
  }
  const std::string_view content = text_in(message, "content");
  const size_t end = content.rfind(kReasoningEnd);
  if (end == std::string_view::npos) return "";
  const size_t begin = content.rfind(kReasoningBegin, end);
  const size_t first = begin == std::string_view::npos ? 0 : begin + kReasoningBegin.size();
  return stripped(content.substr(first, end - first));
}

// Bytes that both begin with, whole characters.
size_t common_bytes(std::string_view a, std::string_view b) {
  size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (at > 0 && at < a.size() && (static_cast<uint8_t>(a[at]) & 0xc0) == 0x80) --at;
  return at;
}

// The same, but a mark in angles or brackets (<|end|>, [/INST]) belongs to it as a whole or not at all.
size_t common_marks(std::string_view a, std::string_view b) {
  const size_t bytes = common_bytes(a, b);
  if (bytes == a.size() || bytes == b.size()) return bytes;
  size_t at = bytes;
  for (const auto& [open, close] : {std::pair{'<', '>'}, {'[', ']'}}) {
    const size_t last = a.substr(0, bytes).find_last_of(open);
    if (last == std::string_view::npos || a.substr(last, bytes - last).find(close) != std::string_view::npos) continue;
    at = std::min(at, last);
  }
  return at;
}

// Whether `left` is what is left of `text` when something in its middle is gone, whatever space is around it.
bool is_cut_out(std::string_view left, std::string_view text) {
  left = stripped(left);
  text = stripped(text);
  const auto begin = std::mismatch(left.begin(), left.end(), text.begin(), text.end()).first - left.begin();
  const auto end = std::mismatch(left.rbegin(), left.rend(), text.rbegin(), text.rend()).first - left.rbegin();
  return left.size() <= text.size() && static_cast<size_t>(begin + end) >= left.size();
}

// Where what the assistant says lies in the text of a whole conversation, message by message.
class Turns {
 public:
  Turns(const ChatTemplate& chat_template, const ChatExample& example, std::string_view whole)
      : template_(chat_template), example_(example), whole_(whole) {}

  std::vector<TextSpan> find() const {
    std::vector<TextSpan> spans;
    size_t end = 0;
    for (size_t i = 0; i < example_.messages.size(); ++i) {
      if (!example_.learned[i]) continue;
      if (i == 0) {
        throw InvalidInput("{}: the conversation begins with the assistant; expected a message of the user before its",
                           template_.where());
      }
      spans.push_back(span_of(i, end));
      end = static_cast<size_t>(spans.back().end);
    }
    return spans;
  }

 private:
  std::string text_of(size_t messages, bool asks) const {
    return template_.render(first_messages(example_.messages, messages), asks, example_.variables).text;
  }

  // The same, or nothing where the template refuses it.
  std::string text_if_any(size_t messages, bool asks) const {
    try {
      return text_of(messages, asks);
    } catch (const InvalidInput&) {
      return "";
    }
  }

  // No more texts at a time than the memory of an example has room for (ChatTemplate::memory_bound_bytes).
  TextSpan span_of(size_t i, size_t from) const {
    const std::string asked = text_of(i, true);
    const size_t before = common_marks(text_if_any(i, false), asked);  // and behind it the prompt for an answer
    if (const std::optional<TextSpan> span = span_at_end(i, asked, before)) return *span;
    if (const std::optional<TextSpan> span = span_in_history(i, from, asked, before)) return *span;
    const std::string told = told_of(i);
    const size_t at = common_bytes(told, whole_);
    throw InvalidInput(
        "{}: the chat template writes message {} otherwise when more follow, \"{}\" for \"{}\", so that the "
        "assistant's "
        "part of it cannot be told; try a conversation for each answer, or \"weight\": 0 for the messages before",
        template_.where(), i + 1, printable(whole_.substr(at, kShownBytes)),
        printable(std::string_view(told).substr(at, kShownBytes)));
  }

  // Where a turn may begin, and what of the prompt for an answer is not before it.
  struct Begin {
    size_t at = 0;
    std::string_view prompt;
  };

  std::string told_of(size_t i) const {
    return i + 1 == example_.messages.size() ? std::string(whole_) : text_of(i + 1, false);
  }

  // Where the whole begins as it does when message i is the last.
  std::optional<TextSpan> span_at_end(size_t i, std::string_view asked, size_t before) const {
    const std::string told = told_of(i);
    if (!whole_.starts_with(told) || !told.starts_with(asked.substr(0, before))) return std::nullopt;
    return TextSpan{static_cast<int64_t>(common_bytes(told, asked)), static_cast<int64_t>(told.size())};
  }

  // `asked` is `before` bytes of messages, and the prompt for an answer.
  std::optional<TextSpan> span_in_history(size_t i, size_t from, std::string_view asked, size_t before) const {
    const std::string_view prompt = asked.substr(before);
    const std::string answered = text_if_any(i + 1, true);
    if (answered.ends_with(prompt)) {
      const std::string_view turn = std::string_view(answered).substr(0, answered.size() - prompt.size());
      if (const std::optional<TextSpan> span = span_like(i, from, asked, before, turn)) return span;
    }
    return span_like(i, from, asked, before, told_of(i));
  }

  // `told`: the messages up to i, of which the turn is what they do not have in common with `asked`.
  std::optional<TextSpan> span_like(size_t i, size_t from, std::string_view asked, size_t before,
                                    std::string_view told) const {
    const std::string_view prompt = asked.substr(before);
    const std::string_view turn = told.substr(common_marks(told, asked));
    // Where the turn may begin: behind the same text as when it was asked for, or behind such a prompt, perhaps
    // without the marks at its end (<think>, say).
    std::vector<Begin> begins;
    if (const size_t same = common_marks(whole_, asked); same >= std::max(from, before)) {
      begins.push_back({same, asked.substr(same)});
    }
    for (size_t size = prompt.size(); size > 0; size = prompt.find_last_of("<[", size - 1)) {
      if (size == std::string_view::npos) break;
      const std::string_view part = prompt.substr(0, size);
      for (size_t at = whole_.find(part, from); at != std::string_view::npos; at = whole_.find(part, at + 1)) {
        begins.push_back({at + size, prompt.substr(size)});
      }
    }
    for (const Begin& begin : begins) {
      if (const std::optional<size_t> end = end_of(i, turn, begin)) {
        return TextSpan{static_cast<int64_t>(begin.at), static_cast<int64_t>(*end)};
      }
    }
    return std::nullopt;
  }

  // Where `turn` ends if it stands at `begin` of the whole, perhaps without some of what is before the answer in it.
  std::optional<size_t> end_of(size_t i, std::string_view turn, const Begin& begin) const {
    if (whole_.substr(begin.at).starts_with(turn)) return begin.at + turn.size();
    const std::string_view answer = answer_in(example_.messages[i]);
    size_t kept = turn.rfind(answer);
    if (answer.empty()) {  // calls of tools, say
      const size_t end = turn.rfind(kReasoningEnd);
      if (end == std::string_view::npos) return std::nullopt;
      kept = turn.find_first_not_of(" \t\r\n", end + kReasoningEnd.size());
    }
    if (kept == std::string_view::npos) return std::nullopt;
    const std::string_view rest = turn.substr(kept);
    const std::string before = std::string(begin.prompt) + std::string(turn.substr(0, kept));
    for (size_t at = whole_.find(rest, begin.at); at != std::string_view::npos && at - begin.at <= before.size();
         at = whole_.find(rest, at + 1)) {
      if (is_cut_out(whole_.substr(begin.at, at - begin.at), before)) return at + rest.size();
    }
    return std::nullopt;
  }

  const ChatTemplate& template_;
  const ChatExample& example_;
  std::string_view whole_;
};

// The {% generation %} blocks of the messages that are learned. Which block is whose is told by how many there are when
// the conversation ends with a message.
std::vector<TextSpan> learned_blocks(const ChatTemplate& chat_template, const ChatExample& example,
                                     const std::vector<TextSpan>& blocks) {
  const Json& messages = example.messages;
  std::vector<TextSpan> spans;
  size_t done = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!is_assistant(messages[i])) continue;
    const bool is_last = i + 1 == messages.size();
    const size_t end =
        is_last ? blocks.size()
                : chat_template.render(first_messages(messages, i + 1), false, example.variables).generated.size();
    if (end < done || end > blocks.size()) {
      throw InvalidInput(
          "{}: the chat template marks other parts of the first {} messages when more follow, so that those which are "
          "not to be learned cannot be told",
          chat_template.where(), i + 1);
    }
    if (example.learned[i]) {
      spans.insert(spans.end(), blocks.begin() + static_cast<int64_t>(done),
                   blocks.begin() + static_cast<int64_t>(end));
    }
    done = end;
  }
  return spans;
}

bool learns_all(const ChatExample& example) {
  for (size_t i = 0; i < example.messages.size(); ++i) {
    if (is_assistant(example.messages[i]) && !example.learned[i]) return false;
  }
  return true;
}

bool leaves_reasoning_out(const ChatExample& example, std::string_view whole) {
  for (size_t i = 0; i < example.messages.size(); ++i) {
    if (!example.learned[i]) continue;
    const std::string_view reasoning = reasoning_in(example.messages[i]);
    if (!reasoning.empty() && whole.find(reasoning) == std::string_view::npos) return true;
  }
  return false;
}

bool leaves_variables_out(const ChatTemplate& chat_template, const ChatExample& example, std::string_view whole) {
  for (const char* name : {"tools", "documents"}) {
    const auto variable = example.variables.find(name);
    if (variable == example.variables.end() || variable->empty()) continue;
    Json others = example.variables;
    others.erase(name);
    if (chat_template.render(example.messages, false, others).text == whole) return true;
  }
  return false;
}

}  // namespace

ChatText chat_text(const ChatTemplate& chat_template, const ChatExample& example) {
  ensure(example.learned.size() == example.messages.size(), "a conversation of {} messages, {} of which are known",
         example.messages.size(), example.learned.size());
  const RenderedChat rendered = chat_template.render(example.messages, false, example.variables);
  const std::string_view whole = rendered.text;
  std::vector<TextSpan> spans;
  if (!chat_template.marks_generation()) {
    spans = Turns(chat_template, example, whole).find();
  } else {
    spans = learns_all(example) ? rendered.generated : learned_blocks(chat_template, example, rendered.generated);
  }
  ChatText text;
  const auto add = [&](int64_t begin, int64_t end, bool counts) {
    if (begin >= end) return;
    const std::string_view piece = whole.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    if (!text.segments.empty() && text.segments.back().counts == counts) {
      text.segments.back().text += piece;
    } else {
      text.segments.push_back({std::string(piece), counts});
    }
  };
  int64_t at = 0;
  for (const TextSpan& span : spans) {
    add(at, span.begin, false);
    add(std::max(at, span.begin), span.end, true);
    at = std::max(at, span.end);
  }
  add(at, static_cast<int64_t>(whole.size()), false);
  text.leaves_reasoning_out = leaves_reasoning_out(example, whole);
  text.leaves_variables_out = leaves_variables_out(chat_template, example, whole);
  return text;
}

}  // namespace headroom
