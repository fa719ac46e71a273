#include "headroom/formats/tokenizer/text_replacer.h"

#include "headroom/formats/tokenizer/regex_pattern.h"

namespace headroom {
namespace {

class CharacterReplacer : public TextComponent {
 public:
  CharacterReplacer(char from, std::string to) : from_(from), to_(std::move(to)) {}

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override {
    return std::make_unique<Stage>(from_, to_, next);
  }

 private:
  class Stage : public TextFilter {
   public:
    Stage(char from, const std::string& to, TextStage& next) : TextFilter(next), from_(from), to_(to) {}
    void text(std::string_view fragment) override {
      for (;;) {
        const size_t found = fragment.find(from_);
        if (!fragment.substr(0, found).empty()) next_.text(fragment.substr(0, found));
        if (found == std::string_view::npos) return;
        if (!to_.empty()) next_.text(to_);
        fragment.remove_prefix(found + 1);
      }
    }
    void end_piece() override { next_.end_piece(); }

   private:
    const char from_;
    const std::string& to_;
  };

  char from_;
  std::string to_;
};

class PatternReplacer : public TextComponent {
 public:
  PatternReplacer(const std::string& pattern, std::string to, const std::string& where)
      : pattern_(pattern, where), to_(std::move(to)) {}

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override {
    return std::make_unique<Stage>(pattern_, to_, next);
  }

 private:
  class Stage : public RegexStage {
   public:
    Stage(const RegexPattern& pattern, const std::string& to, TextStage& next) : RegexStage(pattern, next), to_(to) {}

   private:
    void gap(std::string_view fragment) override { next_.text(fragment); }
    void match(std::string_view) override {
      if (!to_.empty()) next_.text(to_);
    }
    void end_matches() override { next_.end_piece(); }

    const std::string& to_;
  };

  RegexPattern pattern_;
  std::string to_;
};

}  // namespace

std::unique_ptr<TextComponent> replace_character(char from, std::string to) {
  return std::make_unique<CharacterReplacer>(from, std::move(to));
}

std::unique_ptr<TextComponent> replace_pattern(const std::string& pattern, std::string to, const std::string& where) {
  return std::make_unique<PatternReplacer>(pattern, std::move(to), where);
}

}  // namespace headroom
