// Puts a text before each piece that is not empty: the normalizer Prepend, and what Metaspace and ByteLevel do first.
#pragma once

#include <string>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

class TextPrefix : public TextComponent {
 public:
  enum class Where : uint8_t {
    everywhere,       // before every piece
    where_missing,    // before every piece that does not begin with it
    first_if_missing  // only where a text begins, and not if it begins with it
  };
  // `prefix` is not empty; one character unless it goes everywhere.
  TextPrefix(std::string prefix, Where where) : prefix_(std::move(prefix)), where_(where) {}

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  std::string prefix_;
  Where where_;
};

}  // namespace headroom
