#include "headroom/formats/tokenizer/regex_splitter.h"

namespace headroom {
namespace {

using enum SplitBehavior;

class SplitStage : public RegexStage {
 public:
  SplitStage(const RegexPattern& pattern, SplitBehavior behavior, bool invert, TextStage& next)
      : RegexStage(pattern, next), behavior_(behavior), invert_(invert) {}

 private:
  // The last stretch of this piece of text, if there was one.
  enum class Last : uint8_t { none, part, delimiter };

  void gap(std::string_view fragment) override {
    if (!in_gap_) begin(invert_);
    in_gap_ = true;
    pass(fragment);
  }

  void match(std::string_view text) override {
    begin(!invert_);
    in_gap_ = false;
    pass(text);
  }

  void end_matches() override {
    if (last_ != Last::none) next_.end_piece();
    last_ = Last::none;
    in_gap_ = false;
  }

  void begin(bool is_delimiter) {
    const Last now = is_delimiter ? Last::delimiter : Last::part;
    if (last_ != Last::none && !belong_together(now)) next_.end_piece();
    last_ = now;
  }

  bool belong_together(Last now) const {
    switch (behavior_) {
      case merged_with_previous: return last_ == Last::part && now == Last::delimiter;
      case merged_with_next: return last_ == Last::delimiter && now == Last::part;
      case contiguous: return last_ == now;
      default: return false;
    }
  }

  void pass(std::string_view text) {
    if (behavior_ != removed || last_ == Last::part) next_.text(text);
  }

  const SplitBehavior behavior_;
  const bool invert_;
  Last last_ = Last::none;
  bool in_gap_ = false;
};

}  // namespace

std::optional<SplitBehavior> split_behavior(std::string_view name) {
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {{"Isolated", isolated},
                                                                   {"Removed", removed},
                                                                   {"MergedWithPrevious", merged_with_previous},
                                                                   {"MergedWithNext", merged_with_next},
                                                                   {"Contiguous", contiguous}};
  for (const auto& [known, behavior] : kNames) {
    if (known == name) return behavior;
  }
  return std::nullopt;
}

RegexSplitter::RegexSplitter(const std::string& pattern, std::string where, SplitBehavior behavior, bool invert)
    : pattern_(pattern, std::move(where)), behavior_(behavior), invert_(invert) {}

std::unique_ptr<TextStage> RegexSplitter::make_stage(TextStage& next) const {
  return std::make_unique<SplitStage>(pattern_, behavior_, invert_, next);
}

}  // namespace headroom
