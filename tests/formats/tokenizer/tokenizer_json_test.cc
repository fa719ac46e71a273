// Files that are not the tokenizer they say they are: each refused with the file's name in the sentence, and memory
// that stays below what its outline says.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/stream_decoder.h"
#include "headroom/formats/tokenizer/token_encoder.h"
#include "headroom/runtime/process_memory.h"
#include "tests/formats/colliding_texts.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using Json = nlohmann::json;

const std::string kTokenizerFiles = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class TokenizerJson : public testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }

  // What the file says when it is refused; empty if it is not.
  std::string refusal(const std::string& text) {
    write(text);
    try {
      const Tokenizer tokenizer(path_);
      return "";
    } catch (const InvalidInput& error) {
      EXPECT_EQ(std::string(error.what()).rfind(path_, 0), 0u) << error.what();
      return error.what();
    }
  }

  void expect_refused(const Json& tokenizer, const std::string& because) {
    EXPECT_NE(refusal(tokenizer.dump()).find(because), std::string::npos)
        << because << ", got: " << refusal(tokenizer.dump());
  }

  // 97 + 98 -> "ab", and one special token.
  static Json small() {
    return Json::parse(R"({
      "added_tokens": [{"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
                        "normalized": false, "special": true}],
      "normalizer": null,
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
      "post_processor": null,
      "decoder": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})");
  }

  const TemporaryDirectory temporary_;
  const std::string path_ = temporary_ / "tokenizer.json";
};

TEST_F(TokenizerJson, ReadsSectionsInAnyOrder) {
  EXPECT_EQ(refusal(small().dump()), "");
  EXPECT_EQ(refusal(R"({"model": {"merges": ["a b"], "vocab": {"a": 0, "b": 1, "ab": 2}, "type": "BPE"},
                        "decoder": {"type": "ByteLevel"}})"),
            "");
  std::vector<int32_t> ids;
  Tokenizer(path_).encode("aab", false, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{0, 2}));
}

TEST_F(TokenizerJson, RefusesWhatIsNotATokenizer) {
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("[]"), "");
  EXPECT_NE(refusal("{}"), "");
  EXPECT_NE(refusal("{\"model\": 1}"), "");
  EXPECT_NE(refusal(small().dump() + "x"), "");
  EXPECT_NE(refusal(std::string(100'000, '[')), "");
  EXPECT_NE(refusal("\"" + std::string(100'000, 'a') + "\""), "");
  EXPECT_THROW(Tokenizer(testing::TempDir() + "there is no such file"), InvalidInput);
}

TEST_F(TokenizerJson, RefusesTruncatedFiles) {
  const std::string whole = small().dump();
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
}

TEST_F(TokenizerJson, RefusesInconsistentVocabularies) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small();
    json[Json::json_pointer(pointer)] = value;
    return json;
  };
  expect_refused(with("/model/vocab/b", 0), "the id 0 belongs to both");
  expect_refused(with("/model/vocab/b", -1), "out of range");
  expect_refused(with("/model/vocab/b", 1e300), "no integer");
  expect_refused(with("/model/vocab/b", 4'000'000'000), "out of range");
  expect_refused(with("/model/vocab/b", 10'000'000), "of tables");
  expect_refused(with("/model/vocab/b", "1"), "no integer");
  expect_refused(with("/model/vocab", Json::array()), "model.vocab must be an object");
  expect_refused(with("/model/merges", Json::object()), "model.merges must be an array");
  expect_refused(with("/model/merges/0", "a"), "merge 0 is no pair");
  expect_refused(with("/model/merges/0", "a b c"), "merge 0 is no pair");
  expect_refused(with("/model/merges/0", Json{"a"}), "merge 0 is no pair");
  expect_refused(with("/model/merges/0", Json{"a", "b", "c"}), "merge 0 is no pair");
  expect_refused(with("/model/merges/0", Json{"a", 1}), "merge 0 is no pair");
  expect_refused(with("/model/merges/0", Json{"a", "q"}), "names the piece \"q\"");
  expect_refused(with("/model/merges/0", Json{"b", "a"}), "names the piece \"ba\"");
  expect_refused(with("/model/unk_token", "<unk>"), "<unk>");
  expect_refused(with("/added_tokens/0/id", 7), "has id 7; expected 3");
  expect_refused(with("/added_tokens/0/content", "a"), "has id 3; expected 0");
  expect_refused(with("/added_tokens/0/content", ""), "1 to 1024");
  expect_refused(with("/added_tokens/0/special", 1), "true or false");
  expect_refused(with("/added_tokens/1", small()["added_tokens"][0]), "appears twice");
  expect_refused(with("/post_processor",
                      Json::parse(R"({"type": "TemplateProcessing", "single": [{"Sequence": {}}, {"SpecialToken":
      {"id": "x"}}], "special_tokens": {"x": {"ids": [99]}}})")),
                 "no piece has the id 99");
}

TEST_F(TokenizerJson, RefusesUnsupportedComponentsByName) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small();
    json[Json::json_pointer(pointer)] = value;
    return json;
  };
  const auto split = [](const std::string& pattern) {
    return Json{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  };
  expect_refused(with("/model/type", "Unigram"), "model type Unigram is not supported");
  expect_refused(with("/model/dropout", 0.1), "dropout");
  expect_refused(with("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix");
  expect_refused(with("/model/byte_fallback", true), "byte_fallback");
  expect_refused(with("/model/continuing_subword_prefix", "##"), "model.continuing_subword_prefix is not supported");
  expect_refused(
      with("/normalizer", {{"type", "Lowercase"}}),
      "normalizer Lowercase is not supported; known: NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Sequence");
  expect_refused(with("/normalizer", {{"type", "Prepend"}, {"prepend", ""}}), "Prepend: an empty text to prepend");
  expect_refused(with("/normalizer", Json::parse(R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})")),
                 "normalizer Replace: an empty pattern");
  Json many = {{"type", "Sequence"}, {"normalizers", Json(9, Json{{"type", "NFC"}})}};
  expect_refused(with("/normalizer", many), "normalizer NFC: more than 8 steps");
  const auto metaspace = [](const std::string& replacement, const std::string& scheme) {
    return Json{{"type", "Metaspace"}, {"replacement", replacement}, {"prepend_scheme", scheme}};
  };
  expect_refused(with("/pre_tokenizer", metaspace("ab", "always")), "Metaspace: the replacement must be one character");
  expect_refused(with("/pre_tokenizer", metaspace("_", "often")),
                 "Metaspace: the prepend_scheme often is not known; known: always, first, never");
  Json contrary = metaspace("_", "first");
  contrary["add_prefix_space"] = false;
  expect_refused(with("/pre_tokenizer", contrary), "add_prefix_space is false, but prepend_scheme is not never");
  expect_refused(with("/pre_tokenizer", {{"type", "Sequence"},
                                         {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace("_", "first")}}}),
                 "Metaspace: prepend_scheme first is supported in the first step only");
  Json badly_split = split("a");
  badly_split["behavior"] = "Sideways";
  expect_refused(with("/pre_tokenizer", badly_split), "pre_tokenizer Split: the behavior Sideways is not known");
  expect_refused(with("/pre_tokenizer", {{"type", "UnicodeScripts"}}), "pre_tokenizer UnicodeScripts is not supported");
  expect_refused(with("/pre_tokenizer", 7), "pre_tokenizer: expected an object with a type");
  expect_refused(with("/decoder", {{"type", "WordPiece"}}), "decoder WordPiece is not supported");
  expect_refused(with("/decoder", nullptr), "decoder");
  expect_refused(with("/decoder", {{"type", "BPEDecoder"}, {"suffix", "</w>"}}), "decoder BPEDecoder is not supported");
  expect_refused(with("/post_processor", {{"type", "Other"}}), "post_processor Other is not supported");
  expect_refused(with("/post_processor", {{"type", "BertProcessing"}}), "BertProcessing: cls must be [name, id]");
  expect_refused(
      with("/post_processor", Json::parse(R"({"type": "RobertaProcessing", "cls": ["a", 0], "sep": ["b", -1]})")),
      "RobertaProcessing: an id that is no token id");
  expect_refused(with("/pre_tokenizer", split("(a")), "bad regular expression");
  expect_refused(with("/pre_tokenizer", split("a*")), "may match nothing");
  expect_refused(with("/pre_tokenizer", split("(?<=a)b")), "unsupported construct (?<=");
  expect_refused(with("/pre_tokenizer", split("\\bword")), "unsupported construct \\b");
  expect_refused(with("/pre_tokenizer", split("^a")), "unsupported construct ^");
  expect_refused(with("/pre_tokenizer", split("\\p{Han}")), "unsupported construct \\p{Han}");
  expect_refused(with("/pre_tokenizer", split("[^\\W]")), "unsupported construct \\W in a class");
  expect_refused(with("/pre_tokenizer", split("(((a{500}){500}){500})")), "bad regular expression");
  Json late = Json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false},
                              {"type": "Digits"}]})");
  expect_refused(with("/pre_tokenizer", late), "nothing may follow ByteLevel");
}

TEST_F(TokenizerJson, RefusesPiecesThatCollide) {
  Json json = small();
  json["added_tokens"] = Json::array();
  Json& vocabulary = json["model"]["vocab"];
  for (const std::string& text : colliding_texts(8)) vocabulary[text] = vocabulary.size();
  EXPECT_EQ(refusal(json.dump()), "");
  vocabulary[colliding_texts(9)[8]] = vocabulary.size();
  expect_refused(json, "too many pieces collide in a hash table");
}

// With byte fallback, text is cut where no merge joins its characters. A merge of a byte's own piece joins what these
// characters do not show.
TEST_F(TokenizerJson, MergesPiecesOfBytes) {
  Json json = small();
  Json& model = json["model"];
  json["pre_tokenizer"] = nullptr;
  json["added_tokens"] = Json::array();
  json["decoder"] = {{"type", "ByteFallback"}};
  model["byte_fallback"] = true;
  for (int byte = 0; byte < 256; ++byte) model["vocab"][fmt::format("<0x{:02X}>", byte)] = 3 + byte;
  const auto ids_of = [&](const std::string& text) {
    EXPECT_EQ(refusal(json.dump()), "");
    std::vector<int32_t> ids;
    Tokenizer(path_).encode(text, false, ids);
    return ids;
  };
  EXPECT_EQ(ids_of("xab\na"), (std::vector<int32_t>{3 + 'x', 2, 3 + '\n', 0}));
  model["vocab"]["<0x0A>a"] = 259;
  model["merges"].push_back({"<0x0A>", "a"});
  EXPECT_EQ(ids_of("xab\na"), (std::vector<int32_t>{3 + 'x', 2, 259}));
}

// Files that would take long or much to read if they were believed.
TEST_F(TokenizerJson, RefusesWhatHasNoEnd) {
  Json json = small();
  Json nested = {{"type", "NFC"}};
  for (int depth = 0; depth < 40; ++depth) nested = {{"type", "Sequence"}, {"normalizers", Json::array({nested})}};
  json["normalizer"] = nested;
  expect_refused(json, "deep");
  json = small();
  json["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"Regex", "(?:" + std::string(20'000, 'a') + "|b)"}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  EXPECT_EQ(refusal(json.dump()), "");
  json["pre_tokenizer"]["pattern"]["Regex"] = std::string(60'000, 'a');
  expect_refused(json, "regular expression is too large");
  json["pre_tokenizer"]["pattern"]["Regex"] = std::string(70'000, 'a');
  EXPECT_NE(refusal(json.dump()), "");
  json["pre_tokenizer"]["pattern"]["Regex"] = std::string(100, '(') + "a" + std::string(100, ')');
  expect_refused(json, "bad regular expression");
  // A merge whose result is one of its sides, or which is there twice, ends all the same.
  json = small();
  json["added_tokens"] = Json::array();
  json["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"ab", 2}, {"", 3}};
  json["model"]["merges"] = Json::array({{"a", ""}});
  expect_refused(json, "merge 0 names the piece \"\"");
  json = small();
  json["model"]["merges"] = Json::array({{"a", "b"}, {"a", "b"}});
  EXPECT_EQ(refusal(json.dump()), "");
  // Two added tokens that the normalizer makes alike, and one of which it leaves nothing.
  json = small();
  json["normalizer"] = Json::parse(R"({"type": "Replace", "pattern": {"String": "x"}, "content": ""})");
  json["added_tokens"][0]["normalized"] = true;
  json["added_tokens"][0]["content"] = "xx";
  expect_refused(json, "the added token \"xx\" has 0 bytes when normalized; expected 1 to 1024");
  json["added_tokens"][0]["content"] = "xy";
  json["added_tokens"][1] = json["added_tokens"][0];
  json["added_tokens"][1]["content"] = "y";
  json["added_tokens"][1]["id"] = 4;
  expect_refused(json, "the added tokens with ids 3 and 4 are both \"y\" in a text");
}

TEST_F(TokenizerJson, TakesNamesOfTokensAsStringsOrObjects) {
  write(small().dump());
  const auto bos_of = [&](const std::string& config) {
    std::ofstream(temporary_ / "tokenizer_config.json") << config;
    return Tokenizer(path_).bos_id();
  };
  EXPECT_EQ(bos_of(R"({"bos_token": "<s>", "add_bos_token": true, "tokenizer_class": "LlamaTokenizerFast"})"), 3);
  EXPECT_EQ(bos_of(R"({"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false}})"), 3);
  EXPECT_EQ(bos_of(R"({"bos_token": null, "added_tokens_decoder": {"3": {"content": "<s>"}}})"), std::nullopt);
  EXPECT_EQ(bos_of(R"({"bos_token": "<bos>"})"), 4);
}

TEST_F(TokenizerJson, StopsAPatternThatExplodes) {
  Json json = small();
  json["pre_tokenizer"] = Json::parse(
      R"({"type": "Split", "pattern": {"Regex": "(a+a+)+[bc]d"}, "behavior": "Isolated", "invert": false})");
  EXPECT_EQ(refusal(json.dump()), "");
  const Tokenizer tokenizer(path_);
  std::vector<int32_t> ids;
  EXPECT_THROW(tokenizer.encode(std::string(60, 'a') + "!d", false, ids), InvalidInput);
}

// Whatever a byte of the file is changed to, it is read or refused, never anything else.
TEST_F(TokenizerJson, SurvivesMutations) {
  const std::string whole = text_of(kTokenizerFiles + "deepseek_v3.json");
  const std::string_view changes = "\"{}[],:0-9e.\\ \x80xnt";
  const std::string head = whole.substr(0, whole.find("\"vocab\""));
  std::mt19937 random(2026);
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = whole;
    const size_t range = round % 2 == 0 ? head.size() : whole.size();
    for (size_t i = 0; i <= random() % 3; ++i) text[random() % range] = changes[random() % changes.size()];
    refused += !refusal(text).empty();
  }
  EXPECT_GT(refused, 100);
  EXPECT_LT(refused, 300);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// How far the high-water mark rises by loading, encoding and decoding.
TEST_F(TokenizerJson, StaysBelowItsMemoryBound) {
  // A compact file with many short pieces needs the most for its size.
  Json json = small();
  Json vocabulary = Json::object();
  Json merges = Json::array();
  for (int id = 0; id < 26; ++id) vocabulary[std::string(1, static_cast<char>('a' + id))] = id;
  const Json letters = vocabulary;
  int next_id = 26;
  std::vector<std::string> all;
  for (int id = 0; id < 26; ++id) all.emplace_back(1, static_cast<char>('a' + id));
  for (size_t i = 0; next_id < 100'000; ++i) {
    for (int id = 0; id < 26 && next_id < 100'000; ++id) {
      const std::string piece = all[i] + all[id];
      if (!vocabulary.contains(piece)) {
        vocabulary[piece] = next_id++;
        all.push_back(piece);
      }
      merges.push_back({all[i], all[id]});
    }
  }
  json["model"]["vocab"] = vocabulary;
  json["model"]["merges"] = merges;
  json["added_tokens"] = Json::array();
  const std::string text = json.dump();
  write(text);
  // Loads the file and passes two million characters through an encoder and a decoder.
  const auto use = [](const std::string& path) {
    const Tokenizer tokenizer(path);
    TokenEncoder encoder(tokenizer);
    StreamDecoder decoder(tokenizer, false);
    size_t decoded = 0;
    const TokenSink sink = [&](std::span<const int32_t> ids) {
      for (const int32_t id : ids) decoded += decoder.push(id).size();
    };
    encoder.begin(true, sink);
    for (int i = 0; i < 200; ++i) encoder.text(std::string(10'000, static_cast<char>('a' + i % 26)));
    encoder.finish();
    return decoded;
  };
  const std::string few = temporary_ / "few.json";
  json["model"]["vocab"] = letters;
  json["model"]["merges"] = Json::array();
  std::ofstream(few, std::ios::binary) << json.dump();
  // In a child, because a process has one high-water mark. It keeps its heap as the command does. The bound is of what
  // a tokenizer takes, not of the program's own pages, which the reserve counts as code: using a tokenizer of 26
  // letters brings them in before the count begins.
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t child = fork();
  if (child == 0) {
    keep_heap_small();
    int64_t risen = use(few) == 2'000'000 ? 0 : -1;
    malloc_trim(0);
    restart_peak();
    const int64_t before = resident_bytes();
    risen = risen == 0 && use(path_) == 2'000'000 ? peak_resident_bytes() - before : -1;
    _exit(::write(report[1], &risen, sizeof risen) == static_cast<ssize_t>(sizeof risen) ? 0 : 1);
  }
  close(report[1]);
  int64_t risen = 0;
  ASSERT_EQ(read(report[0], &risen, sizeof risen), static_cast<ssize_t>(sizeof risen));
  close(report[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_GT(risen, 0);
  const auto bound = Tokenizer::memory_bound_bytes(path_);
  EXPECT_LE(risen, bound);
  EXPECT_LT(bound - risen, 4 << 20);
  RecordProperty("risen_bytes", std::to_string(risen));
}
#endif

}  // namespace
}  // namespace headroom
