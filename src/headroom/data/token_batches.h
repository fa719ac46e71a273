// Which tokens a training step sees: a pure function of the step number, so that resuming needs nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "headroom/data/token_file.h"

namespace headroom {

class TokenBatches {
 public:
  // The file cut into consecutive windows of seq_len tokens (an incomplete last one is left out), which are its rows
  // where it has rows. Each epoch visits every window once, in an order of its own (permutation.h); steps run on
  // through the epochs, for ever. `file` must outlive this. Throws InvalidInput if the text is shorter than one window.
  static TokenBatches shuffled(const TokenFile& file, int64_t batch_size, int64_t seq_len, uint64_t seed);
  // The first epoch of shuffled(): every window once. The last step has the rows that are left.
  static TokenBatches one_pass(const TokenFile& file, int64_t batch_size, int64_t seq_len, uint64_t seed);
  // The same windows from first to last, once; the last one may be incomplete, with two tokens or more. Throws
  // InvalidInput if there is none.
  static TokenBatches in_order(const TokenFile& file, int64_t batch_size, int64_t seq_len);
  // The rows of a file made from JSON, as they are; throws InvalidInput if it was made from text.
  static TokenBatches as_given(const TokenFile& file);

  int64_t batch_size() const { return batch_size_; }
  int64_t seq_len() const { return seq_len_; }
  int64_t windows() const { return windows_; }
  // Steps that there are data for, none if they never end. The last step may have fewer rows().
  std::optional<int64_t> steps() const;
  int64_t rows(int64_t step) const;
  // Rows of all steps before `step`, and how many different windows they are.
  int64_t rows_before(int64_t step) const;
  int64_t windows_before(int64_t step) const { return std::min(rows_before(step), windows_); }
  // Tokens behind the last whole window, which shuffled steps leave out.
  int64_t tokens_left_out() const;

  // The seq_len() marked tokens of row `row` of step `step`, both from 0, padding behind the last. InternalError beyond
  // steps() or rows().
  void read_row(int64_t step, int64_t row, int32_t* tokens) const;

 private:
  enum class Order : uint8_t { given, one_pass, endless };

  TokenBatches(const TokenFile& file, int64_t batch_size, int64_t seq_len, int64_t windows, Order order,
               uint64_t seed = 0);

  const TokenFile* file_;
  int64_t batch_size_;
  int64_t seq_len_;
  int64_t windows_;
  Order order_;
  uint64_t seed_;
};

}  // namespace headroom
