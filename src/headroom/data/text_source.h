// Data files as streams of documents, in bounded memory whatever the length of a line or a file (docs/data.md). What a
// file holds decides how it is read (data_file.h): one text, or records (record_documents.h). Text must be UTF-8
// without NUL bytes, so that a binary file given by mistake is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "headroom/formats/chat/chat_spans.h"

namespace headroom {

// Something to do, and what doing it right gives; `input` and `system` may be empty.
struct Instruction {
  std::string instruction;
  std::string input;
  std::string output;
  std::string system;
};

class DocumentSink {
 public:
  virtual ~DocumentSink() = default;

  // More text of the current document: whole characters, not empty.
  virtual void text(std::string_view piece) = 0;
  // The current text, which was not empty, is over. `open_ended`: it was a file of its own, which says nothing about
  // what would come next.
  virtual void end_text(bool open_ended) = 0;

  virtual void prompt_completion(const std::string& prompt, const std::string& completion) = 0;
  virtual void instruction(const Instruction& instruction) = 0;
  // May throw InvalidInput, which goes on with the place in the file.
  virtual void conversation(const ChatExample& example) = 0;
  // An example of which nothing is to be learned.
  virtual void left_out() = 0;
};

// Passes the documents of `path` to `sink`. Throws InvalidInput naming file and place for what is missing, empty,
// binary or not as described above. Returns how many of them are answers that were preferred to another.
int64_t read_documents(const std::string& path, DocumentSink& sink);

// Of the content of `path` alone, whatever its name and date.
uint64_t fingerprint_of_file(const std::string& path);

}  // namespace headroom
