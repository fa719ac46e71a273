// The file of --logprobs: {"prompt_ids": [...], "tokens": [{"id": 5, "text": " a", "logprob": -0.25}, ...]}, written
// as the tokens come, whole at the end or not there. The texts are fragments of whole characters: together, the text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "headroom/base/atomic_file.h"

namespace headroom {

class TokenLog {
 public:
  // Throws as AtomicFile does.
  TokenLog(const std::string& path, std::span<const int32_t> prompt);

  // `logprob` is written so that reading it as f32 gives the same bits.
  void add(int32_t id, std::string_view text, float logprob);
  void finish();

 private:
  void write(std::string_view text);
  void flush();

  AtomicFile output_;
  std::string pending_;
  int64_t offset_bytes_ = 0;
  bool empty_ = true;
};

}  // namespace headroom
