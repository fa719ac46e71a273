#include "headroom/formats/json/json_reader.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class JsonReaderTest : public testing::Test {
 protected:
  JsonReader reader(const std::string& text) {
    file_ = File::open(directory_.write("a.json", text));
    return JsonReader(file_, 0, file_.size_bytes(), "a.json");
  }
  void skip_all(const std::string& text) {
    JsonReader json = reader(text);
    json.skip();
    json.finish();
  }

  TemporaryDirectory directory_;
  File file_;
};

TEST_F(JsonReaderTest, ReadsMembersInOrder) {
  JsonReader json =
      reader(R"( {"a" : [1, -2,3], "b": {"c": "x\ty"}, "skipped": [{}, [], 1.5e3, null, true], "d": 7} )");
  std::string key;
  std::vector<std::string> seen;
  for (json.begin_object(); json.next_key(key);) {
    if (key == "a") {
      for (json.begin_array(); json.next_element();) seen.push_back(std::to_string(json.integer(-2, 3)));
    } else if (key == "b") {
      for (json.begin_object(); json.next_key(key);) seen.push_back(key + json.text());
    } else if (key == "d") {
      seen.push_back("d" + std::to_string(json.integer(0, 9)));
    } else {
      json.skip();
    }
  }
  json.finish();
  EXPECT_EQ(seen, (std::vector<std::string>{"1", "-2", "3", "cx\ty", "d7"}));
}

TEST_F(JsonReaderTest, DecodesEscapesAndUtf8) {
  JsonReader json = reader("\"\\u00e9\\ud83d\\ude00\\\"\\/\\n \xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(json.text(), "\xc3\xa9\xf0\x9f\x98\x80\"/\n \xc3\xa9\xf0\x9f\x98\x80");
}

TEST_F(JsonReaderTest, RefusesHalvesOfSurrogatePairs) {
  for (const std::string half : {"\\ud83d", "\\ud83dx", "\\ud83d\\n", "\\ude00", "\\ud83d\\ud83d", "\\ud83d\\u0041"}) {
    EXPECT_ERROR(InvalidInput, "half of a surrogate pair", reader("\"" + half + "\"").text());
  }
}

TEST_F(JsonReaderTest, PassesLongTextInPiecesOfWholeCharacters) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "\xe4\xbd\xa0" + std::string(i % 3, 'x');
  JsonReader json = reader("\"" + text + "\"");
  std::string got;
  json.text_in_pieces([&](std::string_view piece) {
    EXPECT_LE(piece.size(), JsonReader::kPieceBytes);
    EXPECT_NE(static_cast<uint8_t>(piece.front()) & 0xc0, 0x80);
    got += piece;
  });
  EXPECT_EQ(got, text);
}

TEST_F(JsonReaderTest, NamesTheLineOfAnError) {
  EXPECT_ERROR(InvalidInput, "a.json: expected an integer from 0 to 9, got 10 (line 3, byte 6)",
               reader("\n\n  10 ").integer(0, 9));
  EXPECT_ERROR(InvalidInput, "got 1.0", reader("1.0").integer(0, 9));
  EXPECT_ERROR(InvalidInput, "got 99999999999999999999", reader("99999999999999999999").integer(0, INT64_MAX));
  EXPECT_ERROR(InvalidInput, "longer than 3 bytes", reader("\"abcd\"").text(3));
}

TEST_F(JsonReaderTest, ReadsRealNumbers) {
  EXPECT_EQ(reader(" -1.25e2,").real(), -125.0);
  EXPECT_EQ(reader("0.1").real(), 0.1);
  EXPECT_ERROR(InvalidInput, "no double can hold", reader("1e999").real());
}

TEST_F(JsonReaderTest, PassesOverWhatPythonWritesForNoNumber) {
  EXPECT_NO_THROW(skip_all(R"([NaN, {"a": Infinity}, -Infinity])"));
  JsonReader json = reader("[NaN, 1]");
  json.begin_array();
  EXPECT_TRUE(json.next_element());
  EXPECT_ERROR(InvalidInput, "expected a number, got NaN (line 1", json.real());
}

TEST_F(JsonReaderTest, HasLimits) {
  EXPECT_ERROR(InvalidInput, "nested deeper", skip_all(std::string(100000, '[')));
  EXPECT_ERROR(InvalidInput, "a number longer", skip_all(std::string(100000, '1')));
  EXPECT_NO_THROW(skip_all(std::string(60, '[') + std::string(60, ']')));
}

// An outside oracle: nlohmann-json decides what is JSON. Valid documents are damaged at random.
TEST_F(JsonReaderTest, AgreesWithAnotherParserOnWhatIsJson) {
  const std::string seed =
      R"({"a": [0, -1.5e+3, 10, "x\u00e9\n\\", true, false, null, {}, []], "\"": {"b": [[1], {"c": "d"}]}})";
  const std::string alphabet = "{}[]\",:\\0123456789-+.eEutrfalsn \n\x01\xc3\xa9\xff";
  std::mt19937 random(7);
  int valid = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string text = seed;
    for (uint32_t edits = round % 4; edits > 0; --edits) {
      const size_t at = random() % text.size();
      const char byte = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0) {
        text.erase(at, 1);
      } else if (random() % 2 == 0) {
        text.insert(at, 1, byte);
      } else {
        text[at] = byte;
      }
    }
    const bool expected = nlohmann::json::accept(text);
    bool got = true;
    try {
      skip_all(text);
    } catch (const InvalidInput&) {
      got = false;
    }
    valid += expected;
    EXPECT_EQ(got, expected) << text;
  }
  EXPECT_GT(valid, 250);
}

}  // namespace
}  // namespace headroom
