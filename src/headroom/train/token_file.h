// Token ids on disk, so that data of any size cost no memory: made once from text (tokenize_files.h) or from JSON
// (token_json.h), then read by position.
//
// Little-endian: a header of 128 bytes (magic "HEADTOK1", then eight 64-bit fields in the order of TokenFileInfo,
// zeros, and their FNV-1a in the last 8 bytes), then one i32 a token. It does not depend on batch size or sequence
// length.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "headroom/base/atomic_file.h"
#include "headroom/base/file.h"

namespace headroom {

struct TokenFileInfo {
  int64_t tokens = 0;
  int64_t documents = 0;
  int64_t vocabulary = 0;  // every id is below it
  // Rows of fixed length in a given order (from JSON), or 0 for a stream of text.
  int64_t rows_per_step = 0;
  int64_t row_length = 0;
  uint64_t source_fingerprint = 0;   // of the contents of the files it was made from
  uint64_t encoder_fingerprint = 0;  // of the tokenizer; 0 for JSON
  int64_t end_of_text = -1;          // the id between documents, -1 for none

  bool operator==(const TokenFileInfo&) const = default;
};

class TokenFileWriter {
 public:
  // Throws as AtomicFile does.
  TokenFileWriter(std::string path, int64_t vocabulary);

  // Throws InternalError for an id outside [0, vocabulary).
  void add(std::span<const int32_t> ids);
  int64_t tokens() const { return tokens_; }

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

  // Ids [first, first + count) into `ids`. Throws InvalidInput for an id outside the vocabulary: the file is damaged.
  void read(int64_t first, int64_t count, int32_t* ids) const;

 private:
  File file_;
  TokenFileInfo info_;
};

}  // namespace headroom
