#include "headroom/train/token_file.h"

#include <gtest/gtest.h>

#include <numeric>

#include "headroom/base/errors.h"
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

TEST_F(TokenFileTest, RefusesDamage) {
  const std::string path = write(10);
  const std::string good = directory_.read("a.tokens");
  for (size_t at = 0; at < 128; ++at) {
    std::string bad = good;
    bad[at] ^= 1;
    EXPECT_THROW(TokenFile(directory_.write("b.tokens", bad)), InvalidInput) << at;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(TokenFile(directory_.write("b.tokens", good.substr(0, size))), InvalidInput) << size;
  }
  std::string bad = good;
  bad[128 + 7] = '\x7f';
  const TokenFile file(directory_.write("b.tokens", bad));
  int32_t ids[10];
  EXPECT_ERROR(InvalidInput, "at position 1", file.read(0, 10, ids));
}

TEST_F(TokenFileTest, HoldsTheEncoderToItsVocabulary) {
  TokenFileWriter writer(directory_ / "a.tokens", 5);
  const int32_t ids[] = {4, 5};
  EXPECT_ERROR(InternalError, "token id 5", writer.add(ids));
}

}  // namespace
}  // namespace headroom
