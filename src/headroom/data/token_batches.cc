#include "headroom/data/token_batches.h"

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "headroom/data/permutation.h"

namespace headroom {

TokenBatches::TokenBatches(const TokenFile& file, int64_t batch_size, int64_t seq_len, int64_t windows, Order order,
                           uint64_t seed)
    : file_(&file), batch_size_(batch_size), seq_len_(seq_len), windows_(windows), order_(order), seed_(seed) {
  ensure(batch_size >= 1, "a batch of {} rows", batch_size);
  const int64_t row_length = file.info().row_length;
  ensure(row_length == 0 || row_length == seq_len, "{}: rows of {} tokens read as {}", file.path(), row_length,
         seq_len);
}

TokenBatches TokenBatches::shuffled(const TokenFile& file, int64_t batch_size, int64_t seq_len, uint64_t seed) {
  const int64_t tokens = file.info().tokens;
  if (tokens < seq_len) {
    throw InvalidInput(
        "{}: the data have {} tokens; expected at least one row of {}; try more data or a smaller --seq-len",
        file.path(), format_count(tokens), format_count(seq_len));
  }
  return TokenBatches(file, batch_size, seq_len, tokens / seq_len, Order::endless, seed);
}

TokenBatches TokenBatches::one_pass(const TokenFile& file, int64_t batch_size, int64_t seq_len, uint64_t seed) {
  TokenBatches batches = shuffled(file, batch_size, seq_len, seed);
  batches.order_ = Order::one_pass;
  return batches;
}

TokenBatches TokenBatches::in_order(const TokenFile& file, int64_t batch_size, int64_t seq_len) {
  const int64_t tokens = file.info().tokens;
  if (tokens < 2) {
    throw InvalidInput("{}: the data have {} tokens; expected at least two, to predict one", file.path(), tokens);
  }
  return TokenBatches(file, batch_size, seq_len, tokens / seq_len + (tokens % seq_len >= 2 ? 1 : 0), Order::given);
}

TokenBatches TokenBatches::as_given(const TokenFile& file) {
  const TokenFileInfo& info = file.info();
  if (info.row_length <= 0 || info.rows_per_step <= 0) {
    throw InvalidInput("{}: was made from text; expected a token file of given rows", file.path());
  }
  return TokenBatches(file, info.rows_per_step, info.row_length, info.tokens / info.row_length, Order::given);
}

std::optional<int64_t> TokenBatches::steps() const {
  if (order_ == Order::endless) return std::nullopt;
  return (windows_ + batch_size_ - 1) / batch_size_;
}

int64_t TokenBatches::rows(int64_t step) const {
  if (order_ == Order::endless) return batch_size_;
  return std::clamp(windows_ - step * batch_size_, int64_t{0}, batch_size_);
}

int64_t TokenBatches::rows_before(int64_t step) const {
  const int64_t rows = multiply_sizes(step, batch_size_, "step");
  return order_ == Order::endless ? rows : std::min(rows, windows_);
}

int64_t TokenBatches::tokens_left_out() const {
  return std::max(file_->info().tokens - windows_ * seq_len_, int64_t{0});
}

void TokenBatches::read_row(int64_t step, int64_t row, int32_t* tokens) const {
  ensure(step >= 0 && row >= 0 && row < rows(step), "{}: no row {} in step {}", file_->path(), row, step);
  const int64_t visit = add_sizes(multiply_sizes(step, batch_size_, "step"), row, "step");
  int64_t window = visit;
  if (order_ != Order::given) {
    window = Permutation(windows_, seed_, static_cast<uint64_t>(visit / windows_))(visit % windows_);
  }
  const int64_t first = window * seq_len_;
  const int64_t count = std::min(seq_len_, file_->info().tokens - first);
  file_->read(first, count, tokens);
  std::fill(tokens + count, tokens + seq_len_, kPadding);
}

}  // namespace headroom
