// The tokens at which a model of a GGUF file ends its text or its turn, as llama.cpp finds them: those that keys name,
// and those of the vocabulary whose text is a known end of a turn, since most files name one end only.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/gguf/gguf_writer.h"

namespace headroom {

// The end of text first, each once. Throws InvalidInput for a key that is no id.
std::vector<int64_t> gguf_end_ids(const GgufFile& file);

// Writes the keys for `ids`, the end of text first, whose key may be there already. llama.cpp reads three keys, other
// programs the list as well.
void write_gguf_end_ids(const std::vector<int32_t>& ids, bool first_is_written, GgufWriter& writer);

}  // namespace headroom
