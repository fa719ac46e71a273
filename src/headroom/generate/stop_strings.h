// The --stop strings in a text that comes in fragments: nothing of a stop string, nor behind it, is ever let through,
// wherever the borders of tokens lie.
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
  std::string_view push(std::string_view fragment);
  // The text is over: what was held back.
  std::string_view finish();

  bool stopped() const { return stopped_; }

 private:
  size_t held_bytes() const;

  std::vector<std::string> stops_;
  std::string pending_;
  std::string certain_;
  bool stopped_ = false;
};

}  // namespace headroom
