// A regular expression of a tokenizer, and the stage that runs it over a stream of text.
//
// Streaming is exact: PCRE2's hard partial matching says when a match at the end of the window could turn out otherwise
// with more text, and then the window is refilled before deciding. Only one match longer than the window (16 KiB) is
// cut where the window ends.
#pragma once

#include <string>
#include <vector>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

class RegexPattern {
 public:
  // `pattern` is Oniguruma's, as tokenizer.json has it. Throws InvalidInput beginning with `where` if it is
  // unsupported, wrong, too large, or may match nothing. While matching, a pattern that needs more than 256 KiB of
  // stack or ten million steps for one match throws InvalidInput as well.
  RegexPattern(const std::string& pattern, std::string where);
  ~RegexPattern();
  RegexPattern(const RegexPattern&) = delete;
  RegexPattern& operator=(const RegexPattern&) = delete;

 private:
  friend class RegexStage;
  void* code_;
  std::string where_;
};

// Cuts each piece of text into matches and what lies between them, and leaves to a derived stage what becomes of both.
class RegexStage : public TextFilter {
 public:
  // The pattern must outlive the stage.
  RegexStage(const RegexPattern& pattern, TextStage& next);
  ~RegexStage() override;

  void text(std::string_view fragment) override;
  void end_piece() override;

 protected:
  // Text between two matches, in one or more fragments; a match, whole; the end of the piece.
  virtual void gap(std::string_view fragment) = 0;
  virtual void match(std::string_view text) = 0;
  virtual void end_matches() = 0;

 private:
  void split(bool at_end);
  int run(size_t from, uint32_t options);

  const RegexPattern& pattern_;
  void* context_;
  void* match_;
  std::vector<char> window_;
  size_t size_ = 0;
};

// A pattern that matches exactly `literal`.
std::string quote_regex(const std::string& literal);

}  // namespace headroom
