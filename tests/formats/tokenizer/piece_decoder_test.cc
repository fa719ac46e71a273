// Ids to text against the tokenizers library (tests/data/tokenizer/make_decoding.py): runs of byte pieces.
#include "headroom/formats/tokenizer/piece_decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::string kDecodingData = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";

nlohmann::json parse(const std::string& name) {
  std::ifstream file(kDecodingData + name);
  return nlohmann::json::parse(file);
}

std::string decode_by_stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  text += decoder.finish();
  return text;
}

TEST(PieceDecoder, MakesOfBytesWhatTheLibraryMakesOfThem) {
  const TemporaryDirectory directory;
  nlohmann::json file = parse("llama.json");
  const nlohmann::json usual = file["decoder"];
  std::optional<Tokenizer> tokenizer;
  nlohmann::json decoder;
  for (const nlohmann::json& test_case : parse("decoding.json")) {
    if (!tokenizer || test_case["decoder"] != decoder) {
      decoder = test_case["decoder"];
      file["decoder"] = decoder.is_null() ? usual : decoder;
      tokenizer.emplace(directory.write("tokenizer.json", file.dump()));
    }
    const auto ids = test_case["ids"].get<std::vector<int32_t>>();
    for (const bool skip : {false, true}) {
      const nlohmann::json& expected = test_case[skip ? "plain" : "text"];
      EXPECT_EQ(tokenizer->decode(ids, skip), expected) << test_case;
      EXPECT_EQ(decode_by_stream(*tokenizer, ids, skip), expected) << test_case;
    }
  }
}

class ByteRuns : public testing::Test {
 protected:
  std::vector<int32_t> bytes(std::string_view text) const {
    std::vector<int32_t> ids;
    for (const char byte : text) {
      ids.push_back(*tokenizer_.id_of(fmt::format("<0x{:02X}>", static_cast<uint8_t>(byte))));
    }
    return ids;
  }
  std::string push(std::string_view text) {
    std::string out;
    for (const int32_t id : bytes(text)) out += decoder_.push(id);
    return out;
  }

  const Tokenizer tokenizer_{kDecodingData + "llama.json"};
  StreamDecoder decoder_{tokenizer_, true};
};

// A prompt may end in bytes: what follows goes on with them, but they do not come again.
TEST_F(ByteRuns, OfWhoeverKnowsTheBeginningComeWithoutIt) {
  EXPECT_EQ(push("\xC3\xA4\xC3"), "");
  decoder_.skip_held();
  EXPECT_EQ(push("\xB6"), "");
  EXPECT_EQ(decoder_.finish(), "\xC3\xB6");
  push("\xC3\xA4");
  decoder_.skip_held();
  EXPECT_EQ(decoder_.finish(), "");
}

TEST_F(ByteRuns, AreHeldInFixedMemory) {
  const std::string character = "\xE4\xBD\xA0";
  std::string text, all;
  for (size_t i = 0; i < TextDecoding::kMaxRunBytes; ++i) all += character;
  text = push(all);
  EXPECT_GE(text.size(), all.size() - TextDecoding::kMaxRunBytes - character.size());
  text += decoder_.finish();
  EXPECT_EQ(text, all);
}

}  // namespace
}  // namespace headroom
