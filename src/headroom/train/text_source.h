// Text files as streams of documents, in bounded memory whatever the length of a line or a file.
//
// A .jsonl, .ndjson or .json file holds one object after another, each a document in its field "text"; every other file
// is one document. Text must be UTF-8 without NUL bytes, so that a binary file given by mistake is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace headroom {

struct DocumentSink {
  // More text of the current document: whole characters, not empty.
  std::function<void(std::string_view)> text;
  // The current document, which had text, is over.
  std::function<void()> end_document;
};

// Passes the documents of `path` to `sink`. Throws InvalidInput naming file and place for what is missing, empty,
// binary or not as described above.
void read_documents(const std::string& path, const DocumentSink& sink);

// Of the content of `path` alone, whatever its name and date.
uint64_t fingerprint_of_file(const std::string& path);

}  // namespace headroom
