// Tokenizers against the `tokenizers` library: ids and text of tests/data/tokenizer (make_vectors.py beside the files),
// and what holds for any text: chunks change nothing, byte-level ids give back any bytes.
#include "headroom/formats/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/tokenizer/token_encoder.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

const std::string kTokenizerData = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";
const std::string kShared = HEADROOM_SOURCE_DIR "/../shared/data/";

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, std::string_view text, bool special = false) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, special, ids);
  return ids;
}

std::string decode_streaming(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  text += decoder.finish();
  return text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = read_utf8(text);
    if (next.state != Utf8State::valid) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

class AgainstTokenizers : public testing::TestWithParam<const char*> {};

TEST_P(AgainstTokenizers, GivesTheSameIdsAndText) {
  const Tokenizer tokenizer(kTokenizerData + GetParam() + ".json");
  const nlohmann::json texts = read_json(kTokenizerData + "texts.json");
  const nlohmann::json expected = read_json(kTokenizerData + GetParam() + ".ids.json");
  ASSERT_GT(texts.size(), 400u);
  ASSERT_EQ(texts.size(), expected["ids"].size());
  int wrong = 0;
  for (size_t i = 0; i < texts.size() && wrong < 5; ++i) {
    const auto text = texts[i].get<std::string>();
    const auto ids = expected["ids"][i].get<std::vector<int32_t>>();
    const std::vector<int32_t> ours = encode(tokenizer, text, true);
    EXPECT_EQ(ours, ids) << "text " << i << ": " << texts[i];
    const auto changed = expected["decoded"].find(std::to_string(i));
    const std::string decoded = changed == expected["decoded"].end() ? text : changed->get<std::string>();
    EXPECT_EQ(tokenizer.decode(ids, i % 2 == 0), decoded) << "text " << i;
    EXPECT_EQ(decode_streaming(tokenizer, ids, i % 2 == 0), decoded) << "text " << i;
    wrong += ours != ids;
  }
}

// Words are remembered from text to text; that must not show.
TEST_P(AgainstTokenizers, AnEncoderGivesTheSameIdsAgain) {
  const Tokenizer tokenizer(kTokenizerData + GetParam() + ".json");
  const nlohmann::json texts = read_json(kTokenizerData + "texts.json");
  const nlohmann::json expected = read_json(kTokenizerData + GetParam() + ".ids.json");
  TokenEncoder encoder(tokenizer);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<int32_t> ids;
      const TokenSink append = [&](std::span<const int32_t> more) { ids.insert(ids.end(), more.begin(), more.end()); };
      encoder.begin(true, append);
      encoder.text(texts[i].get<std::string>());
      encoder.finish();
      ASSERT_EQ(ids, expected["ids"][i].get<std::vector<int32_t>>()) << "text " << i << " in round " << round;
    }
  }
}

std::string hash_of(std::string_view bytes) {
  uint64_t value = 0xCBF29CE484222325;
  for (const char byte : bytes) value = (value ^ static_cast<uint8_t>(byte)) * 0x100000001B3;
  return fmt::format("{:06x}", value >> 40);
}

class AgainstManyTexts : public testing::TestWithParam<const char*> {};

// In one call and in fragments; what is behind a text that differs: make_vectors.py KIND INDEX.
TEST_P(AgainstManyTexts, GivesTheSameIdsAndText) {
  const Tokenizer tokenizer(kTokenizerData + GetParam() + ".json");
  const nlohmann::json texts = read_json(kTokenizerData + "many_texts.json");
  const nlohmann::json expected = read_json(kTokenizerData + "many_ids.json")[GetParam()];
  const auto expected_ids = expected["ids"].get<std::string>();
  const auto expected_text = expected["decoded"].get<std::string>();
  ASSERT_GT(texts.size(), 2000u);
  ASSERT_EQ(expected_ids.size(), 6 * texts.size());
  TokenEncoder encoder(tokenizer);
  std::mt19937 random(9);
  int wrong = 0;
  for (size_t i = 0; i < texts.size() && wrong < 5; ++i) {
    const auto text = texts[i].get<std::string>();
    const std::vector<int32_t> ids = encode(tokenizer, text, true);
    const std::string_view bytes(reinterpret_cast<const char*>(ids.data()), 4 * ids.size());
    EXPECT_EQ(hash_of(bytes), expected_ids.substr(6 * i, 6))
        << "text " << i << ": " << texts[i] << " gives " << nlohmann::json(ids);
    const std::string decoded = decode_streaming(tokenizer, ids, i % 2 == 0);
    EXPECT_EQ(hash_of(decoded), expected_text.substr(6 * i, 6))
        << "text " << i << ": " << texts[i] << " gives " << nlohmann::json(decoded);
    std::vector<int32_t> streamed;
    const TokenSink append = [&](std::span<const int32_t> more) {
      streamed.insert(streamed.end(), more.begin(), more.end());
    };
    encoder.begin(true, append);
    for (size_t at = 0; at < text.size();) {
      const size_t size = std::min(text.size() - at, 1 + random() % 5);
      encoder.text(std::string_view(text).substr(at, size));
      at += size;
    }
    encoder.finish();
    EXPECT_EQ(streamed, ids) << "text " << i;
    wrong += testing::Test::HasFailure();
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AgainstManyTexts,
                         testing::Values("gpt2", "gpt2_space", "deepseek_llm", "deepseek_coder", "deepseek_v3", "llama",
                                         "llama3", "qwen2", "metaspace", "metaspace_first", "nfkc", "nfd", "nfkd"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(AgainstTokenizers, ChunksOfAnySizeGiveTheIdsOfTheWhole) {
  const Tokenizer tokenizer(kTokenizerData + GetParam() + ".json");
  std::mt19937 random(7);
  std::string text;
  const nlohmann::json texts = read_json(kTokenizerData + "texts.json");
  while (text.size() < 200'000) {
    text += texts[random() % texts.size()].get<std::string>();
    if (random() % 50 == 0) text += std::string(random() % 3000, ' ');
    if (random() % 20 == 0) text += static_cast<char>(random() % 256);
  }
  const std::vector<int32_t> whole = encode(tokenizer, text, true);
  TokenEncoder encoder(tokenizer);
  for (const size_t largest : {1u, 3u, 100u, 40'000u}) {
    std::vector<int32_t> ids;
    const TokenSink append = [&](std::span<const int32_t> more) { ids.insert(ids.end(), more.begin(), more.end()); };
    encoder.begin(true, append);
    for (size_t at = 0; at < text.size();) {
      const size_t size = std::min(text.size() - at, 1 + random() % largest);
      encoder.text(std::string_view(text).substr(at, size));
      at += size;
    }
    encoder.finish();
    EXPECT_EQ(ids, whole) << "chunks of up to " << largest;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AgainstTokenizers,
                         testing::Values("gpt2", "deepseek_llm", "deepseek_v3", "llama3", "llama"),
                         [](const auto& kind) { return std::string(kind.param); });

class ByteLevel : public testing::TestWithParam<const char*> {};

TEST_P(ByteLevel, GivesBackAnyBytes) {
  const Tokenizer tokenizer(kTokenizerData + GetParam() + ".json");
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(round % 2 == 0 ? random() % 256 : " a\xE4\xBD\xA0\xF0\n"[random() % 8]);
    const std::vector<int32_t> ids = encode(tokenizer, bytes);
    EXPECT_EQ(tokenizer.decode(ids, false), bytes);
    const std::string streamed = decode_streaming(tokenizer, ids, false);
    EXPECT_TRUE(is_utf8(streamed));
    std::string lossy;
    append_lossy_utf8(lossy, bytes, true);
    EXPECT_EQ(streamed, lossy);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ByteLevel, testing::Values("gpt2", "deepseek_llm", "deepseek_v3", "llama3"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(Tokenizer, StreamsWholeCharactersOnly) {
  const Tokenizer tokenizer(kTokenizerData + "gpt2.json");
  const std::string text = "\xF0\x9F\xA9\xB5 \xF0\x90\xB4\x80 x";
  StreamDecoder decoder(tokenizer, false);
  std::string joined;
  int silent = 0;
  for (const int32_t id : encode(tokenizer, text)) {
    const std::string_view part = decoder.push(id);
    EXPECT_TRUE(is_utf8(part));
    silent += part.empty();
    joined += part;
  }
  EXPECT_EQ(joined, text);
  EXPECT_GT(silent, 0);
  EXPECT_EQ(decoder.finish(), "");
  decoder.push(*tokenizer.id_of("\xC3\xB0"));  // the letter of byte F0
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
}

TEST(Tokenizer, KnowsItsPieces) {
  const Tokenizer tokenizer(kTokenizerData + "gpt2.json");
  EXPECT_EQ(tokenizer.vocab_size(), 700);
  EXPECT_EQ(tokenizer.piece(0), "<s>");
  EXPECT_EQ(tokenizer.id_of("<|im_start|>"), 3);
  EXPECT_EQ(tokenizer.id_of("no such piece"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(3));
  EXPECT_FALSE(tokenizer.is_special(5));
  EXPECT_EQ(tokenizer.piece(-1), "");
  EXPECT_EQ(tokenizer.piece(700), "");
  EXPECT_EQ(tokenizer.bos_id(), std::nullopt);
  for (int32_t id = 0; id < 700; ++id) EXPECT_EQ(tokenizer.id_of(tokenizer.piece(id)), id);
}

// A word that is longer than what is held at a time is cut where no merge reaches across: the ids stay those of the
// pieces that a run without any long word has.
TEST(Tokenizer, CutsLongWordsWithoutChangingTheirIds) {
  const Tokenizer tokenizer(kTokenizerData + "llama.json");  // no pre-tokenizer: the whole text is one word
  const std::string sentence = " The quick brown fox jumps over the lazy dog.";
  const std::vector<int32_t> once = encode(tokenizer, sentence.substr(1));
  std::string text = sentence.substr(1);
  std::vector<int32_t> expected = once;
  for (int i = 0; i < 3000; ++i) {
    text += sentence;
    expected.insert(expected.end(), once.begin(), once.end());
  }
  EXPECT_EQ(encode(tokenizer, text), expected);
}

TEST(Tokenizer, EncodesStories260kAsItsModelExpects) {
  const std::string directory = kShared + "stories260K-hf";
  std::ifstream file(directory + "/expected.json");
  if (!file) GTEST_SKIP() << "no " << directory;
  const nlohmann::json expected = nlohmann::json::parse(file);
  const Tokenizer tokenizer(directory);
  EXPECT_EQ(tokenizer.vocab_size(), 512);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  const auto prompt = expected["prompt_ids"].get<std::vector<int32_t>>();
  EXPECT_EQ(encode(tokenizer, expected["prompt"].get<std::string>(), true), prompt);
  auto ids = prompt;
  for (const auto& id : expected["new_ids"]) ids.push_back(id);
  EXPECT_EQ(tokenizer.decode(ids, true), expected["text"].get<std::string>());
}

}  // namespace
}  // namespace headroom
