// Token ids in JSON -> a token file, streamed with its shape and range checked.
#pragma once

#include <cstdint>
#include <string>

#include "headroom/data/token_file.h"

namespace headroom {

// Reads {"batches": [[[id, ...], ...], ...]} (step, row, position): rows of one length, steps of one number of rows.
// Throws InvalidInput naming the line for another shape, no rows, or an id outside [0, vocabulary).
TokenFileInfo tokens_from_batches(const std::string& json_path, int64_t vocabulary, const std::string& output);

// Reads {"ids": [[id, ...], ...]} in the same way, as one step.
TokenFileInfo tokens_from_ids(const std::string& json_path, int64_t vocabulary, const std::string& output);

}  // namespace headroom
