// Which part of a conversation counts in training, by templates whose texts are known.
#include "headroom/formats/chat/chat_spans.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

ChatTemplate read(const std::string& name) {
  std::ifstream file(HEADROOM_SOURCE_DIR "/tests/data/chat/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return ChatTemplate(text.str(), name, {"<begin>", "<end>"});
}

const Json kTalk = {{{"role", "user"}, {"content", "Hello"}},
                    {{"role", "assistant"}, {"content", "Hi"}},
                    {{"role", "user"}, {"content", "Bye"}},
                    {{"role", "assistant"}, {"content", "Bye, \xe4\xbd\xa0"}}};

// [counted] and what is not.
std::string marked(const std::string& name, const Json& messages) {
  std::string text;
  std::string plain;
  bool counted = true;
  const ChatTemplate chat_template = read(name);
  for (const ChatSegment& segment : chat_segments(chat_template, messages)) {
    EXPECT_FALSE(segment.text.empty());
    EXPECT_TRUE(plain.empty() || segment.counts != counted);
    counted = segment.counts;
    plain += segment.text;
    text += counted ? "[" + segment.text + "]" : segment.text;
  }
  EXPECT_EQ(plain, chat_template.render(messages, false).text);
  return text;
}

std::string refusal(const std::string& name, const Json& messages) {
  try {
    chat_segments(read(name), messages);
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "";
}

TEST(ChatSpans, TheAssistantsPartIsWhatFollowsTheGenerationPrompt) {
  EXPECT_EQ(marked("deepseek_llm.jinja", kTalk),
            "<begin>User: Hello\n\nAssistant:[ Hi<end>]User: Bye\n\nAssistant:[ Bye, \xe4\xbd\xa0<end>]");
  EXPECT_EQ(
      marked("chatml.jinja", kTalk),
      "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n[Hi<|im_end|>\n]<|im_start|>user\nBye<|im_end|>\n"
      "<|im_start|>assistant\n[Bye, \xe4\xbd\xa0<|im_end|>\n]");
}

TEST(ChatSpans, BlocksOfTheTemplateSayItThemselves) {
  EXPECT_EQ(marked("generation.jinja", kTalk),
            "<begin>\n<|user|>Hello\n<|assistant|>[Hi<end>\n]<|user|>Bye\n<|assistant|>[Bye, \xe4\xbd\xa0<end>\n]");
}

TEST(ChatSpans, WithoutTheAssistantNothingCounts) {
  EXPECT_EQ(marked("chatml.jinja", {{{"role", "user"}, {"content", "Hello"}}}), "<|im_start|>user\nHello<|im_end|>\n");
  EXPECT_TRUE(chat_segments(read("chatml.jinja"), Json::array()).empty());
}

TEST(ChatSpans, RefusesATemplateThatTakesBackWhatItWrote) {
  Json talk = kTalk;
  talk[1]["content"] = "<think>hm</think>Hi";
  talk.insert(talk.begin(), Json{{"role", "system"}, {"content", "be short"}});
  EXPECT_NE(refusal("qwen3.jinja", talk).find("writes the first 3 messages otherwise when more follow"),
            std::string::npos);
  EXPECT_EQ(refusal("deepseek_r1.jinja", talk), "");  // it drops the reasoning of every turn alike
}

TEST(ChatSpans, RefusesAConversationThatBeginsWithTheAssistant) {
  EXPECT_NE(refusal("chatml.jinja", {{{"role", "assistant"}, {"content", "Hi"}}}).find("begins with the assistant"),
            std::string::npos);
}

}  // namespace
}  // namespace headroom
