#include "headroom/data/encode_files.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"
#include "tests/train/letter_encoder.h"

namespace headroom {
namespace {

constexpr RowSettings kRows = {.row_length = 8};

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
  const TokenFileInfo info = tokenize_files(paths, encoder_, kRows, output_);
  EXPECT_EQ(content(), "one|t|u|");
  EXPECT_EQ(info.documents, 3);
  EXPECT_EQ(info.tokens, 8);
  EXPECT_EQ(TokenFile(output_).info(), info);
  encoder_.has_end = false;
  tokenize_files(paths, encoder_, kRows, output_);
  EXPECT_EQ(content(), "onetu");
}

TEST_F(TokenizeFilesTest, MakesTheFileAgainOnlyWhenTextOrTokenizerChanged) {
  std::vector<std::string> paths = {directory_.write("a.txt", "one")};
  const auto makes = [&] {
    const int64_t before = encoder_.documents;
    tokenize_files(paths, encoder_, kRows, output_);
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
  EXPECT_ERROR(InvalidInput, "b.txt: is not text", tokenize_files(paths, encoder_, kRows, output_));
  const std::vector<std::string> first = {paths[0]};
  EXPECT_ERROR(std::runtime_error, "stop", tokenize_files(first, encoder_, kRows, output_, [](int64_t, int64_t) {
                 throw std::runtime_error("stop");
               }));
  EXPECT_EQ(directory_.count_entries(), 2);
  const std::vector<std::string> empty = {directory_.write("c.jsonl", "{\"text\": \"\"}")};
  EXPECT_ERROR(InvalidInput, "c.jsonl: holds no text", tokenize_files(empty, encoder_, kRows, output_));
}

TEST_F(TokenizeFilesTest, ATextFileIsOpenEnded) {
  const std::vector<std::string> paths = {directory_.write("a.txt", "one"), directory_.write("b.txt", "two")};
  tokenize_files(paths, encoder_, kRows, output_);
  EXPECT_EQ(content(), "one|two");
}

TEST_F(TokenizeFilesTest, KeepsExamplesWholeAndReportsWhatIsLost) {
  const std::vector<std::string> paths = {directory_.write("a.jsonl",
                                                           "{\"prompt\": \"ab\", \"completion\": \"cd\"}\n"
                                                           "{\"prompt\": \"ef\", \"completion\": \"gi\"}\n"
                                                           "{\"text\": \"x\"}\n"
                                                           "{\"prompt\": \"jklm\", \"completion\": \"nopqrs\"}\n"
                                                           "{\"prompt\": \"jklmnopq\", \"completion\": \"r\"}\n")};
  const TokenFileInfo info = tokenize_files(paths, encoder_, kRows, output_);
  EXPECT_EQ(content(), "^-a-bcd|___^-e-fgi|^x|_^-j-k-l-mnopq");
  EXPECT_EQ(info.row_length, 8);
  EXPECT_EQ(info.documents, 5);
  EXPECT_EQ(info.padding, 4);
  EXPECT_EQ(info.truncated, 1);
  EXPECT_EQ(info.truncated_tokens, 3);
  EXPECT_EQ(info.dropped, 1);
}

TEST_F(TokenizeFilesTest, MakesTheFileAgainForOtherRows) {
  const std::vector<std::string> paths = {
      directory_.write("a.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}{\"text\":\"x\"}{\"text\":\"y\"}")};
  const auto content_for = [&](const RowSettings& rows) {
    tokenize_files(paths, encoder_, rows, output_);
    return content();
  };
  EXPECT_EQ(content_for({.row_length = 8}), "^-ab|^x|y|_");
  EXPECT_EQ(content_for({.row_length = 3}), "^-ab|^x|y|__");
  EXPECT_EQ(content_for({.row_length = 8, .isolate = true}), "^-ab|^x|^y|_");
  EXPECT_EQ(content_for({.row_length = 4, .isolate = true}), "^-ab|_^x|^y|");
  EXPECT_EQ(content_for({.row_length = 8}), "^-ab|^x|y|_");
}

TEST_F(TokenizeFilesTest, IsolatedTextsStayWholeWhereARowCanHoldThem) {
  const std::vector<std::string> paths = {
      directory_.write("a.jsonl",
                       "{\"text\": \"abc\"}{\"text\": \"0123456789\"}{\"text\": \"0123456\"}{\"text\": \"01234567\"}"),
      directory_.write("b.txt", "xy"), directory_.write("c.txt", "z")};
  const TokenFileInfo info = tokenize_files(paths, encoder_, {.row_length = 8, .isolate = true}, output_);
  EXPECT_EQ(content(), "^abc|____^01234567^89|_____^0123456|^01234567^xy|_____");
  EXPECT_EQ(info.padding, 14);
}

TEST_F(TokenizeFilesTest, RefusesExamplesOfWhichNothingCounts) {
  const std::vector<std::string> paths = {
      directory_.write("a.jsonl", "{\"prompt\": \"0123456789\", \"completion\": \"b\"}")};
  EXPECT_ERROR(InvalidInput, "a.jsonl: none of 1 examples has a token that counts among its first 8",
               tokenize_files(paths, encoder_, kRows, output_));
}

}  // namespace
}  // namespace headroom
