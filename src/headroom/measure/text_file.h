// A text file written piece by piece, that appears whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "headroom/base/atomic_file.h"

namespace headroom {

class TextFile {
 public:
  // All throw as AtomicFile does.
  explicit TextFile(const std::string& path) : file_(path) {}

  void write(std::string_view text) {
    file_.file().write(written_bytes_, text.data(), static_cast<int64_t>(text.size()));
    written_bytes_ += static_cast<int64_t>(text.size());
  }
  void commit() { file_.commit(); }

 private:
  AtomicFile file_;
  int64_t written_bytes_ = 0;
};

}  // namespace headroom
