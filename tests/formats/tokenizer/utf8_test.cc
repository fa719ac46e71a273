#include "headroom/formats/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

std::string lossy(std::string_view bytes) {
  std::string text;
  EXPECT_EQ(append_lossy_utf8(text, bytes, true), bytes.size());
  return text;
}

TEST(Utf8, ReadsBackEveryCodePoint) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    std::string text;
    append_utf8(text, code);
    const Utf8Char back = read_utf8(text);
    if (code >= 0xD800 && code < 0xE000) {
      ASSERT_EQ(back.state, Utf8State::invalid);
      continue;
    }
    ASSERT_EQ(back.state, Utf8State::valid);
    ASSERT_EQ(back.code, code);
    ASSERT_EQ(back.length, static_cast<int>(text.size()));
    for (size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_EQ(read_utf8(std::string_view(text).substr(0, cut)).state, Utf8State::truncated);
    }
  }
}

// The examples of Unicode 15, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, ReplacesMaximalInvalidParts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(lossy("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(lossy("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(Utf8, LeavesACutCharacterForLater) {
  std::string text;
  EXPECT_EQ(append_lossy_utf8(text, "a\xE4\xB8", false), 1u);
  EXPECT_EQ(text, "a");
}

}  // namespace
}  // namespace headroom
