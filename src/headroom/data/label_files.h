// Files of labelled texts -> a token file whose rows are one text each, made once and used again as tokenize_files
// does.
#pragma once

#include <span>
#include <string>

#include "headroom/data/encode_files.h"
#include "headroom/data/labelled_text.h"

namespace headroom {

// Rows of settings.max_tokens + 1 tokens: those of the text, which do not count; behind them the label, which does;
// then padding. Throws InvalidInput as read_labelled_texts does, and where there is no text.
TokenFileInfo label_files(std::span<const std::string> paths, TextEncoder& encoder, const LabelSettings& settings,
                          const std::string& output, const TokenizeProgress& progress = nullptr);

}  // namespace headroom
