// How text flows through a tokenizer: a chain of stages, each of which receives pieces of text in fragments of any size
// and passes on pieces that it cut smaller. No stage holds more than a fixed window, so that a document of any length
// takes the same memory; each stage cuts where it would cut if it saw the whole text at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace headroom {

// What a stage may hold back until it sees more text.
inline constexpr size_t kStageWindowBytes = 16384;

class TextStage {
 public:
  TextStage() = default;
  virtual ~TextStage() = default;
  TextStage(const TextStage&) = delete;
  TextStage& operator=(const TextStage&) = delete;

  // A further fragment of the current piece: valid UTF-8, whole characters, not empty. Not kept.
  virtual void text(std::string_view fragment) = 0;
  // The current piece is complete. Nothing happens if it is empty.
  virtual void end_piece() = 0;
  // Bytes that are not UTF-8: a piece of their own that no rule applies to.
  virtual void bytes(std::string_view invalid) = 0;
  // A token that was found in the text whole.
  virtual void token(int32_t id) = 0;
  // The text is complete: what comes next begins another one.
  virtual void end_text() { end_piece(); }
};

// A stage that passes on what it does not change.
class TextFilter : public TextStage {
 public:
  explicit TextFilter(TextStage& next) : next_(next) {}
  void bytes(std::string_view invalid) override {
    end_piece();
    next_.bytes(invalid);
  }
  void token(int32_t id) override {
    end_piece();
    next_.token(id);
  }
  void end_text() override {
    end_piece();
    next_.end_text();
  }

 protected:
  TextStage& next_;
};

// The constant part of a stage, made once when the tokenizer is loaded and shared by all its encoders.
class TextComponent {
 public:
  TextComponent() = default;
  virtual ~TextComponent() = default;
  TextComponent(const TextComponent&) = delete;
  TextComponent& operator=(const TextComponent&) = delete;

  // Both this and `next` must outlive the stage.
  virtual std::unique_ptr<TextStage> make_stage(TextStage& next) const = 0;
};

}  // namespace headroom
