// What adapter_config.json means layers by, as PEFT compares it with a layer's name
// ("model.layers.0.self_attn.q_proj"): a name, or a regular expression.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace headroom {

class NamePattern {
 public:
  static constexpr size_t kMaxBytes = 4096;  // of a regular expression

  // A layer's name, or what it ends in behind a dot: "q_proj". A value of lists, so not explicit.
  NamePattern(std::string name) : text_(std::move(name)) {}
  NamePattern(const char* name) : text_(name) {}

  // A regular expression of the whole name: Python's re.fullmatch. Throws InvalidInput beginning with `where` for one
  // that is wrong or too large.
  static NamePattern whole(std::string regex, const std::string& where);
  // Of what the name ends in behind a dot, as keys of rank_pattern are.
  static NamePattern ending(std::string regex, const std::string& where);
  // Every layer: "all-linear".
  static NamePattern all();

  // Throws InvalidInput for a regular expression that takes too many steps.
  bool matches(std::string_view layer) const;
  bool is_regex() const { return code_ != nullptr; }
  const std::string& text() const { return text_; }  // as the file has it
  friend bool operator==(const NamePattern& a, const NamePattern& b) { return a.text_ == b.text_; }

 private:
  NamePattern(std::string text, const std::string& regex, const std::string& where);

  std::string text_;
  std::shared_ptr<const void> code_;  // what matches a regular expression; none: a name
};

}  // namespace headroom
