// Where a chat template is found, and what is said where there is none.
#include "headroom/formats/chat/chat_template_source.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class ChatTemplateSourceTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }
  ChatTemplateSource find() { return find_chat_template(directory_.path()); }
  std::string refusal() {
    try {
      find();
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "";
  }

  TemporaryDirectory directory_;
};

TEST_F(ChatTemplateSourceTest, InTheTokenizersConfig) {
  write("tokenizer_config.json", R"({"bos_token": "<b>", "eos_token": {"content": "<e>"}, "chat_template": "a\n"})");
  const ChatTemplateSource source = find();
  EXPECT_EQ(source.text, "a\n");
  EXPECT_TRUE(source.where.ends_with("tokenizer_config.json"));
  EXPECT_EQ(source.tokens.bos, "<b>");
  EXPECT_EQ(source.tokens.eos, "<e>");
}

TEST_F(ChatTemplateSourceTest, TheDefaultOfSeveral) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "a"},
                                                       {"template": "b", "name": "default"}]})");
  EXPECT_EQ(find().text, "b");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "a"}]})");
  EXPECT_NE(refusal().find("has no chat template"), std::string::npos);
}

TEST_F(ChatTemplateSourceTest, AFileOfItsOwnWins) {
  write("tokenizer_config.json", R"({"chat_template": "a"})");
  write("chat_template.jinja", "b");
  write("special_tokens_map.json", R"({"bos_token": {"content": "<b>", "lstrip": false}})");
  EXPECT_EQ(find().text, "b");
  EXPECT_TRUE(find().where.ends_with("chat_template.jinja"));
  EXPECT_EQ(find().tokens.bos, "<b>");
  write("chat_template.jinja", std::string(70000, 'x'));
  EXPECT_NE(refusal().find("expected a chat template of at most 65,536"), std::string::npos);
}

TEST_F(ChatTemplateSourceTest, SaysWhatIsMissing) {
  EXPECT_NE(refusal().find("the model has no chat template; expected chat_template.jinja, or chat_template in "
                           "tokenizer_config.json"),
            std::string::npos);
  write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_NE(refusal().find("has no chat template"), std::string::npos);
}

}  // namespace
}  // namespace headroom
