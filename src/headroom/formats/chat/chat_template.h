// A chat template: the Jinja template by which the conversations of a model become text. The subset of Jinja that the
// templates of language models use, with the results of jinja2 as transformers sets it up (trim_blocks, lstrip_blocks,
// loop controls, its own tojson); docs/chat.md lists it. Anything else is refused by its name when the template is
// read.
//
// Templates come with models and are hostile until proven otherwise: a template cannot reach anything but its inputs,
// and its size, nesting, steps and memory are bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

struct JinjaProgram;

// The tokens that a template may name. An empty one is not defined in the template, as in transformers.
struct ChatTokens {
  std::string bos;
  std::string eos;
};

// Bytes [begin, end) of a rendered text.
struct TextSpan {
  int64_t begin = 0;
  int64_t end = 0;
};

struct RenderedChat {
  std::string text;
  std::vector<TextSpan> generated;  // what stood in {% generation %} blocks, ascending
};

// Constant after construction and may be shared by threads.
class ChatTemplate {
 public:
  static constexpr int64_t kMaxSourceBytes = 64 * 1024;
  static constexpr int64_t kDefaultTextBytes = 1024 * 1024;

  // `where` begins every message (a file's name). A rendered text of more than `max_text_bytes` is refused. Throws
  // InvalidInput for what is not Jinja, not supported, or too large.
  ChatTemplate(std::string_view source, std::string where, ChatTokens tokens,
               int64_t max_text_bytes = kDefaultTextBytes);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // The most memory that a template of this size and one render take at any time.
  static int64_t memory_bound_bytes(int64_t source_bytes, int64_t max_text_bytes);

  // `messages`: an array of objects, {"role": ..., "content": ...} and whatever else the template knows. Members of
  // `extra` are further variables ("tools"). Throws InvalidInput with the template's own words where it raises an
  // exception, and for what fails or never ends.
  RenderedChat render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                      const nlohmann::ordered_json& extra = nlohmann::ordered_json::object()) const;

  // Whether the template has {% generation %} blocks.
  bool marks_generation() const;
  const std::string& where() const;

 private:
  std::unique_ptr<const JinjaProgram> program_;
  std::string where_;
  ChatTokens tokens_;
  int64_t max_text_bytes_;
};

}  // namespace headroom
