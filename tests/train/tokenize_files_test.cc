#include "headroom/train/tokenize_files.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"
#include "tests/train/letter_encoder.h"

namespace headroom {
namespace {

class TokenizeFilesTest : public testing::Test {
 protected:
  std::string content() {
    const TokenFile file(output_);
    std::vector<int32_t> ids(static_cast<size_t>(file.info().tokens));
    file.read(0, file.info().tokens, ids.data());
    return letters(ids);
  }
  TemporaryDirectory directory_;
  std::string output_ = directory_ / "data.tokens";
  LetterEncoder encoder_;
};

TEST_F(TokenizeFilesTest, SeparatesDocumentsByTheEndOfText) {
  const std::vector<std::string> paths = {directory_.write("a.txt", "one"),
                                          directory_.write("b.jsonl", "{\"text\":\"t\"}{\"text\":\"u\"}")};
  const TokenFileInfo info = tokenize_files(paths, encoder_, output_);
  EXPECT_EQ(content(), "one|t|u|");
  EXPECT_EQ(info.documents, 3);
  EXPECT_EQ(info.tokens, 8);
  EXPECT_EQ(TokenFile(output_).info(), info);
  encoder_.has_end = false;
  tokenize_files(paths, encoder_, output_);
  EXPECT_EQ(content(), "onetu");
}

TEST_F(TokenizeFilesTest, MakesTheFileAgainOnlyWhenTextOrTokenizerChanged) {
  std::vector<std::string> paths = {directory_.write("a.txt", "one")};
  const auto makes = [&] {
    const int64_t before = encoder_.documents;
    tokenize_files(paths, encoder_, output_);
    return encoder_.documents > before;
  };
  EXPECT_TRUE(makes());
  EXPECT_FALSE(makes());
  directory_.write("a.txt", "two");
  EXPECT_TRUE(makes());
  encoder_.version = 2;
  EXPECT_TRUE(makes());
  EXPECT_FALSE(makes());
  directory_.write("data.tokens", "rubbish");
  EXPECT_TRUE(makes());
  paths.push_back(directory_.write("b.txt", "x"));
  EXPECT_TRUE(makes());
}

TEST_F(TokenizeFilesTest, LeavesNothingBehindWhenItFailsOrIsStopped) {
  const std::vector<std::string> paths = {directory_.write("a.txt", "one"),
                                          directory_.write("b.txt", std::string("\0", 1))};
  EXPECT_ERROR(InvalidInput, "b.txt: is not text", tokenize_files(paths, encoder_, output_));
  const std::vector<std::string> first = {paths[0]};
  EXPECT_ERROR(std::runtime_error, "stop",
               tokenize_files(first, encoder_, output_, [](int64_t, int64_t) { throw std::runtime_error("stop"); }));
  EXPECT_EQ(directory_.count_entries(), 2);
  const std::vector<std::string> empty = {directory_.write("c.jsonl", "{\"text\": \"\"}")};
  EXPECT_ERROR(InvalidInput, "c.jsonl: holds no text", tokenize_files(empty, encoder_, output_));
}

}  // namespace
}  // namespace headroom
