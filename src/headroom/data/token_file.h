// Token ids on disk, so that data of any size cost no memory: made once from text (tokenize_files.h) or from JSON
// (token_json.h), then read by position.
//
// Little-endian: a header of 256 bytes (magic "HEADTOK3", then seventeen 64-bit fields in the order of TokenFileInfo,
// zeros, and the FNV-1a of all of that in the last 8 bytes), then one i32 a token (marked_token.h). Without examples it
// does not depend on batch size or sequence length.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "headroom/base/atomic_file.h"
#include "headroom/base/file.h"

namespace headroom {

struct TokenFileInfo {
  int64_t tokens = 0;  // padding included
  int64_t documents = 0;
  int64_t vocabulary = 0;            // every id is below it
  int64_t rows_per_step = 0;         // where steps are given (from JSON)
  int64_t row_length = 0;            // of rows that must not be cut elsewhere; 0: a stream of text
  uint64_t source_fingerprint = 0;   // of the contents of the files it was made from
  uint64_t encoder_fingerprint = 0;  // of the tokenizer; 0 for JSON
  int64_t end_of_text = -1;          // the id between documents, -1 for none
  int64_t isolated = 0;              // 1: attention begins anew at each text
  // Of examples: those cut to row_length, the tokens lost there, those left out because nothing in them counts, and
  // borders inside a token (document_encoder.h).
  int64_t truncated = 0;
  int64_t truncated_tokens = 0;
  int64_t dropped = 0;
  int64_t split_borders = 0;
  int64_t padding = 0;            // tokens
  int64_t preferences = 0;        // answers that were preferred to another, which is not learned
  int64_t without_reasoning = 0;  // conversations of which the chat template does not write all (document_encoder.h)
  int64_t without_tools = 0;

  bool operator==(const TokenFileInfo&) const = default;
};

class TokenFileWriter {
 public:
  // Throws as AtomicFile does, and InvalidInput for a vocabulary beyond kMaxMarkedVocabulary.
  TokenFileWriter(std::string path, int64_t vocabulary);

  // Marked tokens. Throws InternalError for an id outside [0, vocabulary).
  void add(std::span<const int32_t> tokens);
  int64_t tokens() const { return tokens_ + static_cast<int64_t>(pending_.size()); }

  // Durable under its name when it returns. `info.tokens` and `info.vocabulary` are filled in; the filled one is
  // returned.
  TokenFileInfo finish(TokenFileInfo info);

 private:
  void flush();

  AtomicFile output_;
  int64_t vocabulary_;
  int64_t tokens_ = 0;
  std::vector<int32_t> pending_;
};

class TokenFile {
 public:
  // Throws InvalidInput for anything but a whole token file.
  explicit TokenFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const TokenFileInfo& info() const { return info_; }

  // Marked tokens [first, first + count). Throws InvalidInput for an id outside the vocabulary: the file is damaged.
  void read(int64_t first, int64_t count, int32_t* tokens) const;

 private:
  File file_;
  TokenFileInfo info_;
};

}  // namespace headroom
