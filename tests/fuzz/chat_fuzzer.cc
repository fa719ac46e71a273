// A chat template: refused with a sentence, when it is read or when it is rendered, or a text within its bound.
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template.h"

namespace {

constexpr int64_t kMaxTextBytes = 16 * 1024;

const nlohmann::ordered_json& conversation() {
  static const auto messages = nlohmann::ordered_json::parse(R"([
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "<think>Easy.</think>4", "tool_calls": [
      {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": [1.5, null, true]}}}]},
    {"role": "tool", "content": "4"},
    {"role": "user", "content": "Danke \u00e4\u4f60"}])");
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const headroom::ChatTemplate chat(source, "template", {"<s>", "</s>"}, kMaxTextBytes);
    const headroom::RenderedChat rendered = chat.render(conversation(), true);
    if (static_cast<int64_t>(rendered.text.size()) > kMaxTextBytes) std::abort();
    for (const headroom::TextSpan& span : rendered.generated) {
      if (span.begin > span.end || span.end > static_cast<int64_t>(rendered.text.size())) std::abort();
    }
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
