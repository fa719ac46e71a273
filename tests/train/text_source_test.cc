#include "headroom/train/text_source.h"

#include <gtest/gtest.h>

#include <vector>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class TextSourceTest : public testing::Test {
 protected:
  std::vector<std::string> documents(const std::string& name, const std::string& text) {
    std::vector<std::string> result = {""};
    longest_ = 0;
    read_documents(directory_.write(name, text), {[&](std::string_view piece) {
                                                    result.back() += piece;
                                                    longest_ = std::max(longest_, piece.size());
                                                    EXPECT_FALSE(piece.empty());
                                                    EXPECT_NE(static_cast<uint8_t>(piece[0]) & 0xc0, 0x80);
                                                  },
                                                  [&] { result.emplace_back(); }});
    EXPECT_EQ(result.back(), "");
    result.pop_back();
    return result;
  }
  TemporaryDirectory directory_;
  size_t longest_ = 0;
};

using Documents = std::vector<std::string>;

TEST_F(TextSourceTest, ATextFileIsOneDocument) { EXPECT_EQ(documents("a.txt", "one\ntwo\n"), Documents{"one\ntwo\n"}); }

TEST_F(TextSourceTest, CutsLongTextBetweenCharacters) {
  for (const size_t shift : {0u, 1u, 2u, 3u}) {
    std::string text(shift, 'x');
    for (int i = 0; i < 50000; ++i) text += "\xf0\x9f\x98\x80";
    EXPECT_EQ(documents("a.txt", text), Documents{text});
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
  EXPECT_ERROR(InvalidInput, "is empty", documents("a.txt", ""));
  EXPECT_ERROR(InvalidInput, "byte 3 is NUL", documents("a.txt", std::string("abc\0def", 7)));
  EXPECT_ERROR(InvalidInput, "byte 70,000 is no valid UTF-8", documents("a.txt", std::string(70000, 'a') + "\xff..."));
  EXPECT_ERROR(InvalidInput, "middle of a character", documents("a.txt", "abc\xe4\xbd"));
  EXPECT_ERROR(InvalidInput, "No such file", read_documents(directory_ / "none.txt", {}));
  EXPECT_ERROR(InvalidInput, "is a directory", read_documents(directory_.path(), {}));
}

TEST_F(TextSourceTest, RefusesJsonLinesWithoutText) {
  EXPECT_ERROR(InvalidInput, "no field \"text\" (line 2", documents("a.jsonl", "{\"text\": \"a\"}\n{\"body\": \"b\"}"));
  EXPECT_ERROR(InvalidInput, "that holds a text", documents("a.jsonl", "{\"text\": 1}"));
  EXPECT_ERROR(InvalidInput, "one field", documents("a.jsonl", "{\"text\": \"a\", \"text\": \"b\"}"));
  EXPECT_ERROR(InvalidInput, "expected an object", documents("a.json", "[{\"text\": \"a\"}]"));
  EXPECT_ERROR(InvalidInput, "ends in the middle", documents("a.jsonl", "{\"text\": \"a"));
}

TEST_F(TextSourceTest, FingerprintsContentOnly) {
  const uint64_t a = fingerprint_of_file(directory_.write("a", "foobar"));
  EXPECT_EQ(a, fingerprint_of_file(directory_.write("b", "foobar")));
  EXPECT_EQ(a, 0x85944171f73967e8u);  // FNV-1a of "foobar", from the authors' test vectors
}

}  // namespace
}  // namespace headroom
