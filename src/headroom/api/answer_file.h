// The answers of `generate --prompts`: a file with a JSON object a line, whole or not there.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "headroom/base/atomic_file.h"
#include "headroom/generate/prompt_batch.h"

namespace headroom {

class AnswerFile {
 public:
  // Throws as AtomicFile does.
  explicit AnswerFile(const std::string& path) : output_(path) {}

  // {"index": 0, "id": ..., "prompt_tokens": 5, "new_tokens": 7, "finish": "end", "text": "..."}; "index" is the
  // prompt's number, and "id" is there unless it is null.
  void add(const Prompt& prompt, const nlohmann::ordered_json& id, const Answer& answer);
  void finish();

 private:
  void flush();

  AtomicFile output_;
  std::string pending_;
  int64_t offset_bytes_ = 0;
};

}  // namespace headroom
