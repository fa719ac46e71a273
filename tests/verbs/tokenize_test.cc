// The job of `headroom tokenize` on files.
#include "headroom/verbs/tokenize.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using Json = nlohmann::json;

const std::string kData = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";

class TokenizeJson : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string put(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  static Json read(const std::string& path) {
    std::ifstream file(path);
    return Json::parse(file);
  }

  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};

TEST_F(TokenizeJson, EncodesAndDecodesAsTheLibraryDoes) {
  const Json expected = read(kData + "llama3.ids.json");
  tokenize_json({.tokenizer = kData + "llama3.json", .input = kData + "texts.json", .output = path("ids.json")});
  EXPECT_EQ(read(path("ids.json")), expected["ids"]);
  tokenize_json({.tokenizer = kData + "llama3.json",
                 .input = path("ids.json"),
                 .output = path("texts.json"),
                 .decode = true,
                 .skip_special_tokens = true});
  const Json texts = read(path("texts.json"));
  const Json original = read(kData + "texts.json");
  for (size_t i = 0; i < original.size(); i += 2) {
    const auto changed = expected["decoded"].find(std::to_string(i));
    EXPECT_EQ(texts[i], changed == expected["decoded"].end() ? original[i] : *changed) << i;
  }
}

TEST_F(TokenizeJson, LeavesSpecialTokensOutWhenAsked) {
  const std::string input = put("in.json", R"([ "a\u0041\ud83d\ude42", "" ])");
  tokenize_json({.tokenizer = kData + "llama3.json", .input = input, .output = path("with.json")});
  tokenize_json({.tokenizer = kData + "llama3.json",
                 .input = input,
                 .output = path("without.json"),
                 .add_special_tokens = false});
  Json with = read(path("with.json"));
  const Json without = read(path("without.json"));
  EXPECT_EQ(without[1], Json::array());
  EXPECT_EQ(with[1].size(), 2u);  // <s> </s>
  with[0].erase(with[0].size() - 1);
  with[0].erase(0);
  EXPECT_EQ(with[0], without[0]);
}

TEST_F(TokenizeJson, RefusesBadInputAndLeavesNoOutput) {
  const std::string tokenizer = kData + "gpt2.json";
  const auto expect_refused = [&](const std::string& text, bool decode) {
    const std::string input = put("in.json", text);
    try {
      tokenize_json({.tokenizer = tokenizer, .input = input, .output = path("out.json"), .decode = decode});
      ADD_FAILURE() << "accepted " << text;
    } catch (const InvalidInput& error) {
      EXPECT_NE(std::string(error.what()).find("in.json"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(std::filesystem::exists(path("out.json")));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
  };
  for (const char* text : {"", "{}", "[1]", "[\"a\"", "[\"a\", [\"b\"]]", "[\"\\q\"]", "[\"a\"] x"})
    expect_refused(text, false);
  for (const char* text : {"[1]", "[[1, \"a\"]]", "[[-1]]", "[[700]]", "[[1.5]]", "[[1]"}) expect_refused(text, true);
  tokenize_json({.tokenizer = tokenizer, .input = put("in.json", "[]"), .output = path("out.json")});
  EXPECT_EQ(read(path("out.json")), Json::array());
}

}  // namespace
}  // namespace headroom
