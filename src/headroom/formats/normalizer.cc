#include "headroom/formats/normalizer.h"

#include <string>

namespace headroom {
namespace {

// Puts a text before each piece that is not empty.
class Prepend : public TextComponent {
 public:
  explicit Prepend(const ComponentSpec& spec) : prefix_(spec.text("prepend")) {
    if (prefix_.empty()) spec.refuse("an empty text to prepend");
  }

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override {
    return std::make_unique<Stage>(prefix_, next);
  }

 private:
  class Stage : public TextFilter {
   public:
    Stage(const std::string& prefix, TextStage& next) : TextFilter(next), prefix_(prefix) {}
    void text(std::string_view fragment) override {
      if (!begun_) next_.text(prefix_);
      begun_ = true;
      next_.text(fragment);
    }
    void end_piece() override {
      begun_ = false;
      next_.end_piece();
    }

   private:
    const std::string& prefix_;
    bool begun_ = false;
  };

  std::string prefix_;
};

// Replaces a character.
class Replace : public TextComponent {
 public:
  explicit Replace(const ComponentSpec& spec) : content_(spec.text("content")) {
    const ComponentSpec::Pattern pattern = spec.pattern("pattern");
    // One byte cannot be split between two fragments.
    if (pattern.is_regex || pattern.text.size() != 1) spec.refuse("only a pattern of one ASCII character is supported");
    from_ = pattern.text[0];
  }

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override { return std::make_unique<Stage>(*this, next); }

 private:
  class Stage : public TextFilter {
   public:
    Stage(const Replace& replace, TextStage& next) : TextFilter(next), replace_(replace) {}
    void text(std::string_view fragment) override {
      for (;;) {
        const size_t found = fragment.find(replace_.from_);
        if (!fragment.substr(0, found).empty()) next_.text(fragment.substr(0, found));
        if (found == std::string_view::npos) return;
        if (!replace_.content_.empty()) next_.text(replace_.content_);
        fragment.remove_prefix(found + 1);
      }
    }
    void end_piece() override { next_.end_piece(); }

   private:
    const Replace& replace_;
  };

  char from_;
  std::string content_;
};

struct Kind {
  std::string_view type;
  std::unique_ptr<TextComponent> (*make)(const ComponentSpec&);
};

template <class Component>
std::unique_ptr<TextComponent> make(const ComponentSpec& spec) {
  return std::make_unique<Component>(spec);
}

constexpr Kind kKinds[] = {{"Prepend", make<Prepend>}, {"Replace", make<Replace>}};

std::unique_ptr<TextComponent> make_normalizer(const ComponentSpec& spec) {
  for (const Kind& kind : kKinds) {
    if (kind.type == spec.type()) return kind.make(spec);
  }
  spec.refuse_type("Prepend, Replace, Sequence");
}

}  // namespace

std::vector<std::unique_ptr<TextComponent>> read_normalizer(const ComponentSpec& spec) {
  std::vector<std::unique_ptr<TextComponent>> stages;
  for (const ComponentSpec& part : spec.flatten("normalizers")) stages.push_back(make_normalizer(part));
  return stages;
}

}  // namespace headroom
