#include "headroom/data/text_source.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/data_floor/collector.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class TextSourceTest : public testing::Test {
 protected:
  std::vector<std::string> documents(const std::string& name, const std::string& text) {
    Collector collector;
    read_documents(directory_.write(name, text), collector);
    longest_ = collector.longest;
    return collector.documents;
  }
  TemporaryDirectory directory_;
  size_t longest_ = 0;
};

using Documents = std::vector<std::string>;

TEST_F(TextSourceTest, ATextFileIsOneDocument) {
  EXPECT_EQ(documents("a.txt", "one\ntwo\n"), Documents{"one\ntwo\n..."});
}

TEST_F(TextSourceTest, CutsLongTextBetweenCharacters) {
  for (const size_t shift : {0u, 1u, 2u, 3u}) {
    std::string text(shift, 'x');
    for (int i = 0; i < 50000; ++i) text += "\xf0\x9f\x98\x80";
    EXPECT_EQ(documents("a.txt", text), Documents{text + "..."});
    EXPECT_LE(longest_, 65536u);
  }
}

TEST_F(TextSourceTest, EveryJsonLineIsADocument) {
  EXPECT_EQ(
      documents(
          "a.jsonl",
          "{\"id\": 1, \"text\": \"a\\nb\"}\n\n{\"text\": \"\"}\n{\"text\": \"c\", \"meta\": {\"text\": \"no\"}}"),
      (Documents{"a\nb", "c"}));
}

TEST_F(TextSourceTest, PassesAJsonLineOfAnyLengthInPieces) {
  const std::string text(3'000'000, 'y');
  EXPECT_EQ(documents("a.jsonl", "{\"text\": \"" + text + "\"}\n"), Documents{text});
  EXPECT_LE(longest_, 4096u);
}

TEST_F(TextSourceTest, RefusesWhatIsNotText) {
  const auto documents_of = [](const std::string& path) {
    Collector collector;
    read_documents(path, collector);
  };
  EXPECT_ERROR(InvalidInput, "is empty", documents("a.txt", ""));
  EXPECT_ERROR(InvalidInput, "is empty", documents("a.txt", "\xef\xbb\xbf"));
  EXPECT_ERROR(InvalidInput, "byte 3 is NUL", documents("a.txt", std::string("abc\0def", 7)));
  EXPECT_ERROR(InvalidInput, "byte 70,000 is no valid UTF-8", documents("a.txt", std::string(70000, 'a') + "\xff..."));
  EXPECT_ERROR(InvalidInput, "middle of a character", documents("a.txt", "abc\xe4\xbd"));
  EXPECT_ERROR(InvalidInput, "No such file", documents_of(directory_ / "none.txt"));
  EXPECT_ERROR(InvalidInput, "is a directory", documents_of(directory_.path()));
}

TEST_F(TextSourceTest, SkipsAByteOrderMark) {
  EXPECT_EQ(documents("a.txt", "\xef\xbb\xbfone"), Documents{"one..."});
  EXPECT_EQ(documents("a.jsonl", "\xef\xbb\xbf{\"text\": \"a\"}"), Documents{"a"});
  EXPECT_EQ(documents("a.txt", "one\xef\xbb\xbf"), Documents{"one\xef\xbb\xbf..."});
}

TEST_F(TextSourceTest, ReadsPromptsAndCompletionsInAnyOrder) {
  EXPECT_EQ(
      documents("a.jsonl",
                "{\"prompt\": \"a\", \"completion\": \"b\", \"id\": 3}\n{\"completion\": \"d\", \"prompt\": \"\"}"),
      (Documents{"a>b", ">d"}));
}

TEST_F(TextSourceTest, ReadsConversations) {
  const std::string messages = R"([{"role":"user","content":"a","name":null},{"role":"assistant","content":""}])";
  EXPECT_EQ(documents("a.jsonl", "{\"messages\": " + messages + ", \"id\": 3}"), Documents{messages + " 1"});
  const auto refused = [&](const std::string& list, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, documents("a.jsonl", "{\"messages\": " + list + "}"));
  };
  refused("{}", "expected a list in \"messages\"");
  refused("[]", "a conversation without messages");
  refused("[\"a\"]", "expected a message, an object with role and content");
  refused("[{\"role\": \"user\"}]", "a message without a text \"content\"");
  refused("[{\"role\": \"user\", \"content\": null}]", "a message without a text \"content\"");
  refused("[{\"content\": \"a\"}]", "a message without a text \"role\"");
  refused("[{\"role\": \"user\", \"content\": \"a\", \"audio\": {}}]", "expected a text in \"audio\"");
  refused("[{\"role\": \"user\", \"role\": \"a\"}]", "\"role\" occurs twice");
  refused("[{\"role\": \"user\", \"content\": \"refuse\"}]", "a.jsonl: the template refuses (line 1");
  std::string many = "[";
  for (int i = 0; i < 1025; ++i) many += "{\"role\": \"user\", \"content\": \"a\"},";
  refused(many + "{\"role\": \"user\", \"content\": \"a\"}]", "more than 1024 messages");
  std::string fields = "[{";
  for (int i = 0; i < 8200; ++i) fields += "\"" + std::to_string(i) + "\": null,";
  refused(fields, "more than 8,192 values");
  refused("[{\"role\": \"user\", \"content\": \"" + std::string(300'000, 'x') + "\"}]", "more than 262,144 bytes");
}

TEST_F(TextSourceTest, RefusesObjectsOfNoKindOrOfSeveral) {
  const auto refused = [&](const std::string& object, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, documents("a.jsonl", "{\"text\": \"a\"}\n" + object));
  };
  const std::string kinds = "expected exactly one of \"text\"";
  refused("{\"body\": \"b\"}", kinds);
  refused("{\"body\": \"b\"}", "(line 2");
  refused("{\"text\": \"b\", \"prompt\": \"c\"}", kinds);
  refused("{\"prompt\": \"c\", \"completion\": \"c\", \"text\": \"b\"}", kinds);
  refused("{\"prompt\": \"c\"}", "\"prompt\" without \"completion\"");
  refused("{\"completion\": \"c\"}", "\"completion\" without \"prompt\"");
  refused("{\"text\": \"b\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", kinds);
  refused("{\"text\": 1}", "expected a text in \"text\"");
  refused("{\"prompt\": [], \"completion\": \"c\"}", "expected a text in \"prompt\"");
  refused("{\"question\": \"b\", \"answer\": \"c\"}", "but \"question\", \"answer\"");
  refused("{\"text\": \"a\", \"text\": \"b\"}", "\"text\" occurs twice");
  refused("[{\"text\": \"a\"}]", "expected an object");
  refused("{\"text\": \"a", "ends in the middle");
  const std::string half(150'000, 'x');
  refused("{\"prompt\": \"" + half + "\", \"completion\": \"" + half + "\"}", "more than 262,144 bytes");
}

TEST_F(TextSourceTest, FingerprintsContentOnly) {
  const uint64_t a = fingerprint_of_file(directory_.write("a", "foobar"));
  EXPECT_EQ(a, fingerprint_of_file(directory_.write("b", "foobar")));
  EXPECT_EQ(a, 0x85944171f73967e8u);  // FNV-1a of "foobar", from the authors' test vectors
}

}  // namespace
}  // namespace headroom
