// The entrance of a chain of stages: takes any bytes in fragments of any size and passes them on as whole characters,
// and as invalid bytes where they are not UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

class Utf8Gate {
 public:
  explicit Utf8Gate(TextStage& first) : first_(first) {}

  void text(std::string_view bytes);
  void end_text();

 private:
  void pass(std::string_view bytes);

  TextStage& first_;
  std::string carry_;  // a character cut by the end of the last fragment
};

}  // namespace headroom
