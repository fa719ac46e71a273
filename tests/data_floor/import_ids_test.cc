#include "headroom/data/import_ids.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/data/token_batches.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class TokenJsonTest : public testing::Test {
 protected:
  TokenFileInfo batches(const std::string& text) {
    return tokens_from_batches(directory_.write("a.json", text), 100, output_);
  }
  TokenFileInfo ids(const std::string& text) { return tokens_from_ids(directory_.write("a.json", text), 100, output_); }
  TemporaryDirectory directory_;
  std::string output_ = directory_ / "a.tokens";
};

TEST_F(TokenJsonTest, KeepsTheGivenBatches) {
  const TokenFileInfo info =
      batches(R"({"note": [1], "batches": [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 99]]]})");
  EXPECT_EQ(info.tokens, 12);
  const TokenFile file(output_);
  const TokenBatches steps = TokenBatches::as_given(file);
  EXPECT_EQ(steps.batch_size(), 2);
  EXPECT_EQ(steps.seq_len(), 3);
  EXPECT_EQ(steps.steps(), 2);
  int32_t row[3];
  steps.read_row(1, 1, row);
  EXPECT_EQ(row[0], 10);
  EXPECT_EQ(row[2], 99);
  EXPECT_ERROR(InternalError, "no row 0 in step 2", steps.read_row(2, 0, row));
}

TEST_F(TokenJsonTest, KeepsTheGivenIds) {
  std::string long_row = "0";
  for (int i = 1; i < 5000; ++i) long_row += "," + std::to_string(i % 100);
  const TokenFileInfo info = ids("{\"ids\": [[" + long_row + "],[" + long_row + "],[" + long_row + "]]}");
  EXPECT_EQ(info.rows_per_step, 3);
  EXPECT_EQ(info.row_length, 5000);
  int32_t last[2];
  TokenFile(output_).read(14998, 2, last);
  EXPECT_EQ(last[1], 99);
}

TEST_F(TokenJsonTest, RefusesOtherShapesAndIds) {
  EXPECT_ERROR(InvalidInput, "expected 2 ids, got 1 (line 2", batches("{\"batches\": [[[1, 2],\n[1]]]}"));
  EXPECT_ERROR(InvalidInput, "expected 1 rows, got 2", batches(R"({"batches": [[[1]], [[1], [2]]]})"));
  EXPECT_ERROR(InvalidInput, "from 0 to 99, got 100", batches(R"({"batches": [[[100]]]})"));
  EXPECT_ERROR(InvalidInput, "from 0 to 99, got -1", ids(R"({"ids": [[-1]]})"));
  EXPECT_ERROR(InvalidInput, "from 0 to 99, got 1.5", ids(R"({"ids": [[1.5]]})"));
  EXPECT_ERROR(InvalidInput, "a row without ids", ids(R"({"ids": [[]]})"));
  EXPECT_ERROR(InvalidInput, "a list without rows", batches(R"({"batches": [[]]})"));
  EXPECT_ERROR(InvalidInput, "has no rows of ids in a member \"batches\"", batches(R"({"batches": []})"));
  EXPECT_ERROR(InvalidInput, "has no rows of ids in a member \"ids\"", ids(R"({"batches": [[[1]]]})"));
  EXPECT_ERROR(InvalidInput, "expected a number", ids(R"({"ids": [["a"]]})"));
  EXPECT_ERROR(InvalidInput, "expected '['", ids(R"({"ids": [1]})"));
  EXPECT_ERROR(InvalidInput, "something follows", ids(R"({"ids": [[1]]} x)"));
  EXPECT_EQ(directory_.count_entries(), 1);
}

}  // namespace
}  // namespace headroom
