// The --stop strings in a text that comes in fragments: nothing of a stop string, nor behind it, is ever let through,
// wherever the borders of tokens lie. Special tokens, which are not shown, count as their names: <|im_end|>.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom {

class StopStrings {
 public:
  // Throws InvalidInput for an empty string, or one that is not UTF-8.
  explicit StopStrings(std::vector<std::string> stops);

  // More text. Returns what is certain now, whole characters if fragments are: the end of the text is held back as long
  // as it may begin a stop string. Good until the next call. Nothing comes once stopped().
  std::string_view push(std::string_view fragment) { return push(fragment, true); }
  // The same for a special token, which stops like text but never comes.
  std::string_view push_hidden(std::string_view name) { return push(name, false); }
  // The text is over: what was held back.
  std::string_view finish();

  bool stopped() const { return stopped_; }

 private:
  std::string_view push(std::string_view fragment, bool is_shown);
  size_t held_bytes() const;
  void let_through(size_t count);

  std::vector<std::string> stops_;
  std::string pending_;
  std::string shown_;  // for each byte that is pending, whether it is
  std::string certain_;
  bool stopped_ = false;
};

}  // namespace headroom
