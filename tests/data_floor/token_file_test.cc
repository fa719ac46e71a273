#include "headroom/data/token_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class TokenFileTest : public testing::Test {
 protected:
  std::string write(int32_t count) {
    std::vector<int32_t> ids(static_cast<size_t>(count));
    std::iota(ids.begin(), ids.end(), 0);
    TokenFileWriter writer(directory_ / "a.tokens", 100000);
    writer.add(ids);
    writer.finish({.documents = 1, .source_fingerprint = 7, .encoder_fingerprint = ~uint64_t{0}});
    return directory_ / "a.tokens";
  }
  TemporaryDirectory directory_;
};

TEST_F(TokenFileTest, GivesBackWhatWasWritten) {
  const TokenFile file(write(10000));
  EXPECT_EQ(file.info().tokens, 10000);
  EXPECT_EQ(file.info().encoder_fingerprint, ~uint64_t{0});
  EXPECT_EQ(file.info().end_of_text, -1);
  int32_t ids[3];
  file.read(9997, 3, ids);
  EXPECT_EQ(ids[2], 9999);
  EXPECT_ERROR(InternalError, "outside the file", file.read(9998, 3, ids));
}

TEST_F(TokenFileTest, KeepsMarks) {
  const std::vector<int32_t> marked = {mark_token(4, false, true), mark_token(3, true, true),
                                       mark_token(0, false, false), kPadding};
  TokenFileWriter writer(directory_ / "a.tokens", 5);
  writer.add(marked);
  writer.finish({.isolated = 1, .truncated = 2, .truncated_tokens = 3, .dropped = 4, .split_borders = 5, .padding = 1});
  const TokenFile file(directory_ / "a.tokens");
  std::vector<int32_t> read(4);
  file.read(0, 4, read.data());
  EXPECT_EQ(read, marked);
  EXPECT_EQ(file.info().isolated, 1);
  EXPECT_EQ(file.info().split_borders, 5);
  EXPECT_EQ(file.info().padding, 1);
}

TEST_F(TokenFileTest, RefusesDamage) {
  const std::string path = write(10);
  const std::string good = directory_.read("a.tokens");
  for (size_t at = 0; at < 256; ++at) {
    std::string bad = good;
    bad[at] ^= 1;
    EXPECT_THROW(TokenFile(directory_.write("b.tokens", bad)), InvalidInput) << at;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(TokenFile(directory_.write("b.tokens", good.substr(0, size))), InvalidInput) << size;
  }
  std::string bad = good;
  bad[256 + 6] = '\x7f';
  const TokenFile file(directory_.write("b.tokens", bad));
  int32_t ids[10];
  EXPECT_ERROR(InvalidInput, "at position 1", file.read(0, 10, ids));
}

TEST_F(TokenFileTest, HoldsTheEncoderToItsVocabulary) {
  TokenFileWriter writer(directory_ / "a.tokens", 5);
  const int32_t ids[] = {4, 5};
  EXPECT_ERROR(InternalError, "token id 5", writer.add(ids));
  EXPECT_ERROR(InvalidInput, "a vocabulary of 1073741824 ids", TokenFileWriter(directory_ / "b.tokens", 1 << 30));
}

}  // namespace
}  // namespace headroom
