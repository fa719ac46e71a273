// Data files -> a token file, streamed; made once and used again as long as neither texts nor tokenizer have changed.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "headroom/data/text_encoder.h"
#include "headroom/data/token_file.h"

namespace headroom {

// Called now and then with the bytes of text encoded so far and in all; may throw to stop (nothing is left behind).
using TokenizeProgress = std::function<void(int64_t done_bytes, int64_t total_bytes)>;

struct RowSettings {
  int64_t row_length = 0;  // tokens
  bool isolate = false;    // attention begins anew at each text
};

// Makes `output` from the documents of `paths`, in order (docs/data.md). A token file of that name that was made from
// the same contents by the same encoder for the same rows is kept as it is. Throws InvalidInput as read_documents()
// does, and if there is no token that counts in all files together.
TokenFileInfo tokenize_files(std::span<const std::string> paths, TextEncoder& encoder, const RowSettings& rows,
                             const std::string& output, const TokenizeProgress& progress = nullptr);

// Warnings for people, each a line: what the chat template does not write of the data, which is then not learned. Of
// `info` counts alone.
std::string describe_unwritten(const TokenFileInfo& info);

// What all that makes token files of files begins with: the contents of `paths`, and what lies at `output` already if
// it was made of the same, by `wanted`'s fingerprints, for the same rows.
uint64_t fingerprint_of_files(std::span<const std::string> paths);
std::optional<TokenFileInfo> made_before(const std::string& output, const TokenFileInfo& wanted,
                                         const RowSettings& rows);

}  // namespace headroom
