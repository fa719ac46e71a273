#include "headroom/formats/tokenizer/utf8_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace headroom {
namespace {

bool is_well_formed(const std::string& text) {
  Utf8Check check;
  for (const char byte : text) {
    if (!check.feed(static_cast<uint8_t>(byte))) return false;
  }
  return check.is_between_characters();
}

// All sequences of the bytes where the table of well-formed sequences changes its mind.
TEST(Utf8Check, AgreesWithAnotherImplementation) {
  const auto compare = [](const std::string& text) {
    EXPECT_EQ(is_well_formed(text), nlohmann::json::accept("\"" + text + "\"")) << testing::PrintToString(text);
  };
  const std::string edges =
      "\x20\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff";
  for (const char a : edges) {
    compare({a});
    for (const char b : edges) {
      compare({a, b});
      for (const char c : edges) {
        compare({a, b, c});
        for (const char d : edges) {
          if (static_cast<uint8_t>(a) >= 0xee) compare({a, b, c, d});
        }
      }
    }
  }
}

}  // namespace
}  // namespace headroom
