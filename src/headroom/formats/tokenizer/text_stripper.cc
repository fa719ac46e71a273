#include "headroom/formats/tokenizer/text_stripper.h"

#include "headroom/formats/tokenizer/character_class.h"
#include "headroom/formats/tokenizer/trailing_spaces.h"

namespace headroom {
namespace {

class StripStage : public TextFilter {
 public:
  StripStage(bool left, bool right, TextStage& next) : TextFilter(next), left_(left), right_(right) {}

  void text(std::string_view fragment) override {
    if (left_ && !begun_) fragment.remove_prefix(leading_white_space(fragment));
    if (fragment.empty()) return;
    begun_ = true;
    if (right_) {
      spaces_.pass(fragment, next_);
    } else {
      next_.text(fragment);
    }
  }

  void end_piece() override {
    begun_ = false;
    spaces_.drop();
    next_.end_piece();
  }

 private:
  const bool left_;
  const bool right_;
  bool begun_ = false;
  TrailingSpaces spaces_;
};

class Stripper : public TextComponent {
 public:
  Stripper(bool left, bool right) : left_(left), right_(right) {}
  std::unique_ptr<TextStage> make_stage(TextStage& next) const override {
    return std::make_unique<StripStage>(left_, right_, next);
  }

 private:
  bool left_;
  bool right_;
};

}  // namespace

std::unique_ptr<TextComponent> strip_white_space(bool left, bool right) {
  return std::make_unique<Stripper>(left, right);
}

}  // namespace headroom
