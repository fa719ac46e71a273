// Data files as streams of documents, in bounded memory whatever the length of a line or a file (docs/data.md).
//
// A .jsonl, .ndjson or .json file holds one object after another, each a document: a text ("text"), a prompt with the
// completion that is to follow it ("prompt", "completion"), or a conversation ("messages"). Every other file is one
// text. Text must be UTF-8 without NUL bytes, so that a binary file given by mistake is refused.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace headroom {

// Bytes of text of a prompt and its completion, or of a conversation; a text may have any length.
inline constexpr int64_t kMaxExampleBytes = 256 * 1024;
inline constexpr size_t kMaxMessages = 1024;  // of a conversation

class DocumentSink {
 public:
  virtual ~DocumentSink() = default;

  // More text of the current document: whole characters, not empty.
  virtual void text(std::string_view piece) = 0;
  // The current text, which was not empty, is over. `open_ended`: it was a file of its own, which says nothing about
  // what would come next.
  virtual void end_text(bool open_ended) = 0;

  virtual void prompt_completion(const std::string& prompt, const std::string& completion) = 0;
  // At least one object, each with a text "role" and "content" and perhaps further texts. May throw InvalidInput, which
  // goes on with the place in the file.
  virtual void conversation(const nlohmann::ordered_json& messages) = 0;
};

// Whether a file of such a name holds JSON lines, and one among those.
bool is_json_lines(const std::string& path);
bool any_are_json_lines(std::span<const std::string> paths);

// Passes the documents of `path` to `sink`. Throws InvalidInput naming file and place for what is missing, empty,
// binary or not as described above.
void read_documents(const std::string& path, DocumentSink& sink);

// Of the content of `path` alone, whatever its name and date.
uint64_t fingerprint_of_file(const std::string& path);

}  // namespace headroom
