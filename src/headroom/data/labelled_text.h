// Texts that have a label each, for classification: JSON lines {"text": ..., "label": ...} -> token ids and the number
// of the label. docs/data.md is the definition.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headroom/data/text_encoder.h"

namespace headroom {

struct LabelSettings {
  std::vector<std::string> names;  // of the labels, by number
  // The id that fills rows. The label is read off the last token of a text that is another one (as transformers does),
  // so those behind it are left out.
  std::optional<int32_t> padding;
  int64_t max_tokens = 0;  // of a text; what it has more is cut off
};

// The ids of a text, good during the call; never none. `lost`: how many more it had.
using OnLabelledText = std::function<void(std::span<const int32_t> ids, int32_t label, int64_t lost)>;

// Called with the bytes of the file that have been read; may throw to stop.
using OnReadBytes = std::function<void(int64_t)>;

// The texts of one file, in bounded memory whatever their length. Throws InvalidInput naming file and line for what is
// not as above, an unknown label, or a text without tokens.
void read_labelled_texts(const std::string& path, TextEncoder& encoder, const LabelSettings& settings,
                         const OnLabelledText& on_text, const OnReadBytes& on_bytes = nullptr);

// How many texts a file has, or fewer where it is refused later.
int64_t count_labelled_texts(const std::string& path);

}  // namespace headroom
