// One record of a data file -> the document that it is, told by the names of its fields (docs/data.md): a text, a
// prompt with its completion, a conversation, an instruction with its output, or an answer that was preferred to
// another.
#pragma once

#include "headroom/data/records.h"
#include "headroom/data/text_source.h"

namespace headroom {

// Passes the records to `sink`. Throws InvalidInput naming file and line for what is none of these or several, and for
// fields that might change what is learned and are not known. Returns how many preferences there were.
int64_t read_records(Records& records, DocumentSink& sink);

}  // namespace headroom
