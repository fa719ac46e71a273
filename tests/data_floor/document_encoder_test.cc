#include "headroom/data/document_encoder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"
#include "tests/train/letter_encoder.h"

namespace headroom {
namespace {

// Texts and examples in a row, "/" between them; "+N" behind an example that lost N tokens.
class Written : public DocumentTokens {
 public:
  void begin_text() override { all += "/"; }
  void text(std::span<const int32_t> ids) override { all += letters(ids); }
  void example(std::span<const int32_t> marked, int64_t lost) override {
    all += "/" + letters(marked);
    if (lost > 0) all += "+" + std::to_string(lost);
  }
  std::string all;
};

class DocumentEncoderTest : public testing::Test {
 protected:
  std::string example(const std::string& prompt, const std::string& completion, int64_t max_tokens = 100) {
    Written written;
    DocumentEncoder documents(encoder_, max_tokens, written);
    documents.prompt_completion(prompt, completion);
    split_borders_ = documents.split_borders();
    return written.all;
  }
  LetterEncoder encoder_;
  int64_t split_borders_ = 0;
};

TEST_F(DocumentEncoderTest, OnlyTheCompletionAndItsEndCount) {
  EXPECT_EQ(example("ab", "cd"), "/^-a-bcd|");
  EXPECT_EQ(example("", "cd"), "/^cd|");
  EXPECT_EQ(example("ab", ""), "/^-a-b|");
  encoder_.before = "<";
  EXPECT_EQ(example("a", "c"), "/^-<-ac|");
  encoder_.has_end = false;
  EXPECT_EQ(example("a", "c"), "/^-<-ac");
  EXPECT_EQ(split_borders_, 0);
}

TEST_F(DocumentEncoderTest, AnEndThatIsThereIsNotPutTwice) {
  EXPECT_EQ(example("a", "c|"), "/^-ac|");
  encoder_.after = "|";
  EXPECT_EQ(example("a", "c"), "/^-ac|");
  EXPECT_EQ(split_borders_, 0);
}

TEST_F(DocumentEncoderTest, ATokenAcrossTheBorderCounts) {
  EXPECT_EQ(example("at", "home"), "/^-aTome|");
  EXPECT_EQ(split_borders_, 1);
  EXPECT_EQ(example("at", "at"), "/^-a-tat|");
  EXPECT_EQ(split_borders_, 0);
}

TEST_F(DocumentEncoderTest, CutsLongExamples) {
  EXPECT_EQ(example("abc", "def", 5), "/^-a-b-cde+2");
  EXPECT_EQ(example("abc", "def", 2), "/^-a-b+5");
  EXPECT_EQ(example("abc", "def", 7), "/^-a-b-cdef|");
  EXPECT_EQ(example(std::string(100000, 'x'), "y", 4), "/^-x-x-x-x+99998");
  EXPECT_EQ(split_borders_, 0);
}

TEST_F(DocumentEncoderTest, OfAConversationTheAssistantCounts) {
  const auto chat = [&](const char* messages, int64_t max_tokens = 100) {
    Written written;
    DocumentEncoder documents(encoder_, max_tokens, written);
    documents.conversation(example_of(messages));
    split_borders_ = documents.split_borders();
    return written.all;
  };
  encoder_.before = "<";  // the template's business
  const char* turns = R"([{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"},
                          {"role": "user", "content": "e"}, {"role": "assistant", "content": "f"}])";
  EXPECT_EQ(chat(turns), "/^-a-b-[cd-]-e-[f-]");
  EXPECT_EQ(chat(turns, 4), "/^-a-b-[c+6");
  EXPECT_EQ(split_borders_, 0);
  EXPECT_EQ(chat(R"([{"role": "user", "content": "t"}, {"role": "user", "content": "ho"}])"), "/^-T-o");
  EXPECT_EQ(split_borders_, 1);
  EXPECT_ERROR(InvalidInput, "makes no text", chat(R"([{"role": "user", "content": ""}])"));
}

TEST_F(DocumentEncoderTest, ATextEndsUnlessItIsOpenEnded) {
  Written written;
  DocumentEncoder documents(encoder_, 100, written);
  documents.text("a");
  documents.text("b");
  documents.end_text(false);
  documents.text("c");
  documents.end_text(true);
  documents.prompt_completion("d", "e");
  documents.text("f");
  documents.end_text(true);
  EXPECT_EQ(written.all, "/ab|/c|/^-de|/f");
  EXPECT_EQ(documents.documents(), 4);
  EXPECT_EQ(documents.text_bytes(), 6);
}

}  // namespace
}  // namespace headroom
