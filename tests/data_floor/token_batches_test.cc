#include "headroom/data/token_batches.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A file of tokens 0, 1, 2, ...: a row says which window it is.
class TokenBatchesTest : public testing::Test {
 protected:
  TokenFile file_of(int32_t tokens) {
    std::vector<int32_t> ids(static_cast<size_t>(tokens));
    std::iota(ids.begin(), ids.end(), 0);
    TokenFileWriter writer(directory_ / "a.tokens", tokens);
    writer.add(ids);
    writer.finish({});
    return TokenFile(directory_ / "a.tokens");
  }
  static int32_t window(const TokenBatches& batches, int64_t step, int64_t row) {
    std::vector<int32_t> ids(static_cast<size_t>(batches.seq_len()));
    batches.read_row(step, row, ids.data());
    for (size_t index = 1; index < ids.size(); ++index) EXPECT_EQ(ids[index], ids[0] + static_cast<int32_t>(index));
    EXPECT_EQ(ids[0] % batches.seq_len(), 0);
    return ids[0] / static_cast<int32_t>(batches.seq_len());
  }
  TemporaryDirectory directory_;
};

TEST_F(TokenBatchesTest, VisitsEveryWindowOnceAnEpochInAnOrderOfItsOwn) {
  const TokenFile file = file_of(103);
  const TokenBatches batches = TokenBatches::shuffled(file, 4, 5, 9);
  EXPECT_EQ(batches.windows(), 20);
  EXPECT_FALSE(batches.steps().has_value());
  std::set<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int32_t> order;
    for (int64_t step = 0; step < 5; ++step) {
      for (int64_t row = 0; row < 4; ++row) order.push_back(window(batches, epoch * 5 + step, row));
    }
    EXPECT_EQ(std::set<int32_t>(order.begin(), order.end()).size(), 20u);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 3u);
  EXPECT_EQ(window(TokenBatches::shuffled(file, 4, 5, 9), 7, 2), window(batches, 7, 2));
  EXPECT_EQ(window(TokenBatches::shuffled(file, 2, 5, 9), 15, 0), window(batches, 7, 2));  // the batch only cuts
}

TEST_F(TokenBatchesTest, OnePassIsTheFirstEpochWithAShorterLastStep) {
  const TokenFile file = file_of(103);
  const TokenBatches endless = TokenBatches::shuffled(file, 8, 5, 9);
  const TokenBatches batches = TokenBatches::one_pass(file, 8, 5, 9);
  EXPECT_EQ(batches.steps(), 3);
  EXPECT_EQ(batches.tokens_left_out(), 3);
  EXPECT_EQ(batches.rows(1), 8);
  EXPECT_EQ(batches.rows(2), 4);
  EXPECT_EQ(batches.rows_before(3), 20);
  EXPECT_EQ(endless.rows_before(3), 24);
  EXPECT_EQ(endless.windows_before(3), 20);
  for (int64_t step = 0; step < 3; ++step) {
    for (int64_t row = 0; row < batches.rows(step); ++row) {
      EXPECT_EQ(window(batches, step, row), window(endless, step, row));
    }
  }
}

TEST_F(TokenBatchesTest, ReadsInOrderWithAShorterLastStep) {
  const TokenFile file = file_of(21);
  const TokenBatches batches = TokenBatches::in_order(file, 3, 5);
  EXPECT_EQ(batches.steps(), 2);
  EXPECT_EQ(batches.rows(0), 3);
  EXPECT_EQ(batches.rows(1), 1);
  EXPECT_EQ(batches.rows(2), 0);
  EXPECT_EQ(window(batches, 1, 0), 3);
}

TEST_F(TokenBatchesTest, PadsAnIncompleteLastRowInOrder) {
  const TokenFile file = file_of(12);
  const TokenBatches batches = TokenBatches::in_order(file, 2, 5);
  EXPECT_EQ(batches.windows(), 3);
  std::vector<int32_t> row(5);
  batches.read_row(1, 0, row.data());
  EXPECT_EQ(row, (std::vector<int32_t>{10, 11, kPadding, kPadding, kPadding}));
}

TEST_F(TokenBatchesTest, RefusesTooLittleData) {
  const TokenFile file = file_of(4);
  EXPECT_ERROR(InvalidInput, "have 4 tokens; expected at least one row of 5", TokenBatches::shuffled(file, 1, 5, 0));
  EXPECT_ERROR(InvalidInput, "made from text", TokenBatches::as_given(file));
  const TokenFile one = file_of(1);
  EXPECT_ERROR(InvalidInput, "have 1 tokens; expected at least two", TokenBatches::in_order(one, 1, 5));
}

}  // namespace
}  // namespace headroom
