// A stream of tokens cut into windows that overlap, so that perplexity is measured with context: each prediction
// counts once, in the first window that makes it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace headroom {

class TextWindows {
 public:
  // A window's ids, good during the call, and the first of them whose prediction counts.
  using Sink = std::function<void(std::span<const int32_t> ids, int64_t first_counted)>;

  // Windows of `seq_len` tokens, each `stride` behind the one before, 1 <= stride <= seq_len. The first window counts
  // all its predictions, a later one those of tokens that no window had. With stride = seq_len nothing overlaps, and
  // the first token of each window is never predicted.
  TextWindows(int64_t seq_len, int64_t stride, Sink sink);

  void push(std::span<const int32_t> ids);
  // The rest, a shorter window, if it has predictions that no window has counted.
  void finish();

 private:
  void pass();

  size_t seq_len_;
  size_t stride_;
  Sink sink_;
  std::vector<int32_t> window_;
  size_t seen_ = 0;  // tokens of window_ that the window before had
};

}  // namespace headroom
