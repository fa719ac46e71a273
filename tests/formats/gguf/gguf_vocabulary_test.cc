// Vocabularies inside GGUF files against the `tokenizers` library (tests/data/gguf/make.py put the tokenizers of
// tests/data/tokenizer into GGUF files) and against llama.cpp's vectors for a real one; and what is refused.
#include "headroom/formats/gguf/gguf_vocabulary.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "tests/formats/gguf_bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using namespace gguf_bytes;

const std::string kTestData = HEADROOM_SOURCE_DIR "/tests/data/";
const std::string kShared = HEADROOM_SOURCE_DIR "/../shared/data/";

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class GgufAgainstTokenizers : public testing::TestWithParam<const char*> {};

TEST_P(GgufAgainstTokenizers, GivesTheSameIdsAndText) {
  const std::string name = GetParam();
  std::string file = name;
  std::replace(file.begin(), file.end(), '_', '-');
  const Tokenizer tokenizer(kTestData + "gguf/vocab-" + file + ".gguf");
  const Tokenizer original(kTestData + "tokenizer/" + name + ".json");
  const auto texts = nlohmann::json::parse(read_file(kTestData + "tokenizer/texts.json"));
  const auto expected = nlohmann::json::parse(read_file(kTestData + "tokenizer/" + name + ".ids.json"));
  ASSERT_GT(texts.size(), 400u);
  EXPECT_EQ(tokenizer.vocab_size(), original.vocab_size());
  int wrong = 0;
  for (size_t i = 0; i < texts.size() && wrong < 5; ++i) {
    std::vector<int32_t> ids;
    tokenizer.encode(texts[i].get<std::string>(), true, ids);
    const auto theirs = expected["ids"][i].get<std::vector<int32_t>>();
    EXPECT_EQ(ids, theirs) << texts[i].dump() << (++wrong == 5 ? " and maybe more" : "");
    EXPECT_EQ(tokenizer.decode(ids, false), original.decode(ids, false));
  }
  EXPECT_EQ(tokenizer.bos_id(), tokenizer.id_of("<s>"));
  EXPECT_EQ(tokenizer.eos_id(), tokenizer.id_of("</s>"));
  EXPECT_TRUE(tokenizer.is_special(*tokenizer.bos_id()));
}

INSTANTIATE_TEST_SUITE_P(Kinds, GgufAgainstTokenizers, testing::Values("deepseek_v3", "gpt2", "llama", "llama3"));

// llama.cpp's own vectors: texts between marks, and a line of ids for each.
TEST(GgufVocabulary, GivesTheIdsOfLlamaCppForDeepSeekLlm) {
  const std::string path = kShared + "vocab/deepseek-llm.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const std::string mark = "\n__ggml_vocab_test__\n";
  std::string texts = read_file(path + ".inp");
  std::istringstream lines(read_file(path + ".out"));
  const Tokenizer tokenizer(path);
  int count = 0;
  for (size_t at = 0; at < texts.size(); ++count) {
    const size_t end = texts.find(mark, at);
    const std::string text_of_line = texts.substr(at, end == std::string::npos ? end : end - at);
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream words_of_line(line);
    std::vector<int32_t> expected, ids;
    for (int32_t id; words_of_line >> id;) expected.push_back(id);
    tokenizer.encode(text_of_line, false, ids);
    EXPECT_EQ(ids, expected) << text_of_line;
    at = end == std::string::npos ? texts.size() : end + mark.size();
  }
  EXPECT_GT(count, 40);
}

// Sanitizers have an allocator of their own, which mallinfo2 does not see.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(GgufVocabulary, TakesNoMoreMemoryThanItSays) {
  const std::string path = kShared + "vocab/deepseek-llm.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const GgufFile file(path);
  const struct mallinfo2 before = ::mallinfo2();
  const Tokenizer tokenizer(path);
  const struct mallinfo2 after = ::mallinfo2();
  const auto held = static_cast<int64_t>(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd);
  const int64_t bound = GgufVocabulary(file).memory_bound_bytes();
  EXPECT_LE(held, bound);
  EXPECT_GE(held, bound / 4);
}
#endif

class GgufVocabularyTest : public testing::Test {
 protected:
  std::unique_ptr<const TokenizerParts> load(const std::vector<std::string>& keys) {
    std::string entries;
    for (const std::string& entry : keys) entries += entry;
    return load_gguf_tokenizer(directory_.write("a.gguf", head(0, keys.size()) + entries));
  }
  static std::string kinds(const std::vector<int32_t>& values) {
    return numbers("tokenizer.ggml.token_type", GgufValueType::i32, values);
  }
  static std::string scores(const std::vector<float>& values) {
    return numbers("tokenizer.ggml.scores", GgufValueType::f32, values);
  }
  const std::string gpt2_ = word("tokenizer.ggml.model", "gpt2");
  const std::string pre_ = word("tokenizer.ggml.pre", "gpt-2");
  const std::string llama_ = word("tokenizer.ggml.model", "llama");
  const std::string tokens_ = words("tokenizer.ggml.tokens", {"a", "b", "ab"});
  const std::string merges_ = words("tokenizer.ggml.merges", {"a b"});
  TemporaryDirectory directory_;
};

TEST_F(GgufVocabularyTest, ReadsByteLevelVocabularies) {
  const Tokenizer tokenizer(
      load({gpt2_, pre_, tokens_, merges_, kinds({1, 4, 1}), number("tokenizer.ggml.bos_token_id", 1),
            key("tokenizer.ggml.add_bos_token", GgufValueType::boolean, "\1"),
            number("tokenizer.ggml.padding_token_id", 2)}));
  std::vector<int32_t> ids;
  tokenizer.encode("aab", true, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 0, 0, 1}));  // b is looked for before words are made
  EXPECT_FALSE(tokenizer.is_special(1));
  EXPECT_EQ(tokenizer.pad_id(), 2);
}

TEST_F(GgufVocabularyTest, RefusesWhatItIsNot) {
  EXPECT_ERROR(InvalidInput, "a.gguf: has no vocabulary", load({}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.model: bert is not supported; expected gpt2 or llama",
               load({word("tokenizer.ggml.model", "bert")}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.tokens: is missing; expected an array of texts", load({gpt2_, pre_}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.tokens: has 0 pieces",
               load({gpt2_, pre_, words("tokenizer.ggml.tokens", {}), merges_}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.merges: is missing", load({gpt2_, pre_, tokens_}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.scores: is missing", load({llama_, tokens_}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.token_type: has 2 numbers; expected one for each of the 3 pieces",
               load({gpt2_, pre_, tokens_, merges_, kinds({1, 1})}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.token_type: holds 7; expected numbers from 1 to 6",
               load({gpt2_, pre_, tokens_, merges_, kinds({1, 7, 1})}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.pre: the pre-tokenizer \"tekken\" is not supported; known: deepseek-llm",
               load({gpt2_, word("tokenizer.ggml.pre", "tekken"), tokens_, merges_}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.merges: merge 0 is no pair of pieces; expected \"a b\"",
               load({gpt2_, pre_, tokens_, words("tokenizer.ggml.merges", {"ab"})}));
  EXPECT_ERROR(InvalidInput, "merge 0 names the piece \"c\"",
               load({gpt2_, pre_, tokens_, words("tokenizer.ggml.merges", {"a c"})}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.bos_token_id: expected an integer from 0 to 2, got 3",
               load({gpt2_, pre_, tokens_, merges_, number("tokenizer.ggml.bos_token_id", 3)}));
  EXPECT_ERROR(InvalidInput, "tokenizer.ggml.scores: the score of piece 1 is inf; expected a number",
               load({llama_, tokens_, scores({0, INFINITY, 0})}));
  EXPECT_ERROR(InvalidInput, "the special token 0 has 0 bytes; expected 1 to 1024",
               load({gpt2_, pre_, words("tokenizer.ggml.tokens", {"", "b", "ab"}), merges_, kinds({3, 1, 1})}));
  EXPECT_ERROR(InvalidInput, "piece 2 has 600 bytes; expected at most 512 beside scores",
               load({llama_, words("tokenizer.ggml.tokens", {"a", "b", std::string(600, 'a')}), scores({0, 0, 0})}));
  EXPECT_ERROR(InvalidInput, "needs a piece for every byte", load({llama_, tokens_, scores({0, 0, 0})}));
}

TEST_F(GgufVocabularyTest, HoldsTheChatTemplate) {
  const auto find = [&](const std::vector<std::string>& keys) {
    std::string entries;
    for (const std::string& entry : keys) entries += entry;
    return find_chat_template(directory_.write("a.gguf", head(0, keys.size()) + entries));
  };
  const ChatTemplateSource found =
      find({tokens_, word("tokenizer.chat_template", "{{ bos_token }}"), number("tokenizer.ggml.bos_token_id", 1),
            number("tokenizer.ggml.eos_token_id", 2)});
  EXPECT_EQ(found.text, "{{ bos_token }}");
  EXPECT_EQ(found.tokens.bos, "b");
  EXPECT_EQ(found.tokens.eos, "ab");
  EXPECT_ERROR(InvalidInput, "a.gguf: the model has no chat template; expected the key tokenizer.chat_template",
               find({tokens_}));
}

}  // namespace
}  // namespace headroom
