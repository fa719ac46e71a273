#include "headroom/formats/tokenizer/text_prefix.h"

namespace headroom {
namespace {

class PrefixStage : public TextFilter {
 public:
  PrefixStage(const std::string& prefix, TextPrefix::Where where, TextStage& next)
      : TextFilter(next), prefix_(prefix), where_(where) {}

  void text(std::string_view fragment) override {
    if (!in_piece_ && is_wanted(fragment)) next_.text(prefix_);
    in_piece_ = in_text_ = true;
    next_.text(fragment);
  }
  void end_piece() override {
    in_piece_ = false;
    next_.end_piece();
  }
  void bytes(std::string_view invalid) override {
    TextFilter::bytes(invalid);
    in_text_ = true;
  }
  void token(int32_t id) override {
    TextFilter::token(id);
    in_text_ = true;
  }
  void end_text() override {
    TextFilter::end_text();
    in_text_ = false;
  }

 private:
  bool is_wanted(std::string_view fragment) const {
    if (where_ == TextPrefix::Where::everywhere) return true;
    if (where_ == TextPrefix::Where::first_if_missing && in_text_) return false;
    return !fragment.starts_with(prefix_);  // a fragment holds whole characters
  }

  const std::string& prefix_;
  const TextPrefix::Where where_;
  bool in_piece_ = false;
  bool in_text_ = false;
};

}  // namespace

std::unique_ptr<TextStage> TextPrefix::make_stage(TextStage& next) const {
  return std::make_unique<PrefixStage>(prefix_, where_, next);
}

}  // namespace headroom
