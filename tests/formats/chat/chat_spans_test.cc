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

ChatExample example_of(const Json& messages) {
  ChatExample example;
  example.messages = messages;
  for (const Json& message : messages) example.learned.push_back(message["role"] == "assistant");
  return example;
}

// [counted] and what is not.
std::string marked(const ChatTemplate& chat_template, const ChatExample& example) {
  std::string text;
  std::string plain;
  bool counted = true;
  for (const ChatSegment& segment : chat_text(chat_template, example).segments) {
    EXPECT_FALSE(segment.text.empty());
    EXPECT_TRUE(plain.empty() || segment.counts != counted);
    counted = segment.counts;
    plain += segment.text;
    text += counted ? "[" + segment.text + "]" : segment.text;
  }
  EXPECT_EQ(plain, chat_template.render(example.messages, false, example.variables).text);
  return text;
}
std::string marked(const std::string& name, const Json& messages) { return marked(read(name), example_of(messages)); }

std::string refusal(const std::string& name, const Json& messages) {
  try {
    chat_text(read(name), example_of(messages));
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
  EXPECT_TRUE(chat_text(read("chatml.jinja"), {}).segments.empty());
}

ChatTemplate made(std::string_view source) { return ChatTemplate(source, "made", {"<begin>", "<|endoftext|>"}); }

// Turns that are written otherwise once others follow: the mask is that of each turn as it stands in the whole.

TEST(ChatSpans, AnEndThatStandsOnlyBehindTheLastTurn) {
  const ChatTemplate chat_template = made(
      "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}");
  EXPECT_EQ(marked(chat_template, example_of(kTalk)),
            "<|user|>\nHello<|end|>\n<|assistant|>\n[Hi<|end|>\n]<|user|>\nBye<|end|>\n"
            "<|assistant|>\n[Bye, \xe4\xbd\xa0<|end|>\n<|endoftext|>]");
}

TEST(ChatSpans, AnotherEndBehindTheLastTurnAndAChannelThatGoes) {
  const ChatTemplate chat_template = made(
      "{% for m in messages %}{% if m.role == 'assistant' %}"
      "{% if m.thinking and loop.last and not add_generation_prompt %}"
      "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{% endif %}"
      "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content }}"
      "{{ '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' }}"
      "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}");
  Json talk = kTalk;
  talk[1]["thinking"] = "hm";
  talk[3]["thinking"] = "well";
  const ChatExample example = example_of(talk);
  EXPECT_EQ(marked(chat_template, example),
            "<|start|>user<|message|>Hello<|end|><|start|>assistant[<|channel|>final<|message|>Hi<|end|>]"
            "<|start|>user<|message|>Bye<|end|><|start|>assistant[<|channel|>analysis<|message|>well<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Bye, \xe4\xbd\xa0<|return|>]");
  EXPECT_TRUE(chat_text(chat_template, example).leaves_reasoning_out);
}

TEST(ChatSpans, ReasoningThatGoesFromEarlierTurns) {
  Json talk = kTalk;
  talk[1]["content"] = "<think>\nhm\n</think>\n\nHi";
  talk[3]["content"] = "<think>\nwell\n</think>\n\nBye";
  EXPECT_EQ(marked("qwen3.jinja", talk),
            "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n[Hi<|im_end|>\n]"
            "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n[<think>\nwell\n</think>\n\nBye<|im_end|>\n]");
  EXPECT_TRUE(chat_text(read("qwen3.jinja"), example_of(talk)).leaves_reasoning_out);
  talk[1]["content"] = "Hi";
  EXPECT_FALSE(chat_text(read("qwen3.jinja"), example_of(talk)).leaves_reasoning_out);
}

TEST(ChatSpans, ReasoningThatTheTemplateNeverWritesIsTold) {
  Json talk = kTalk;
  talk[1]["content"] = "<think>hm</think>Hi";
  EXPECT_TRUE(chat_text(read("deepseek_r1.jinja"), example_of(talk)).leaves_reasoning_out);
  EXPECT_FALSE(chat_text(read("chatml.jinja"), example_of(talk)).leaves_reasoning_out);
  talk[1] = {{"role", "assistant"}, {"content", "Hi"}, {"reasoning_content", "because"}};
  EXPECT_TRUE(chat_text(read("chatml.jinja"), example_of(talk)).leaves_reasoning_out);
  ChatExample example = example_of(talk);
  example.learned[1] = false;
  EXPECT_FALSE(chat_text(read("chatml.jinja"), example).leaves_reasoning_out);
}

TEST(ChatSpans, ATemplateMayRefuseToStopWhereNobodyTrains) {
  const std::string source =
      "{% if messages[-1].role == ('assistant' if add_generation_prompt else 'user') %}{{ raise_exception('no') }}{% "
      "endif %}"
      "{% for m in messages %}{{ '<' + m.role + '>' + m.content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";
  EXPECT_EQ(marked(made(source), example_of(kTalk)),
            "<user>Hello<assistant>[Hi]<user>Bye<assistant>[Bye, \xe4\xbd\xa0]");
}

TEST(ChatSpans, RefusesATurnThatIsNotToBeFoundWithWhatIsOtherwise) {
  const ChatTemplate chat_template = made(
      "{% for m in messages %}{{ '<' + m.role + '>' + (m.content if loop.last else m.content | upper) }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}");
  try {
    chat_text(chat_template, example_of(kTalk));
    ADD_FAILURE() << "no error";
  } catch (const InvalidInput& error) {
    const std::string words = error.what();
    EXPECT_NE(words.find("writes message 2 otherwise when more follow, \"I<user>BYE"), std::string::npos) << words;
  }
}

TEST(ChatSpans, WhatIsNotToBeLearnedDoesNotCount) {
  for (const char* name : {"chatml.jinja", "generation.jinja"}) {
    ChatExample example = example_of(kTalk);
    const std::string all = marked(read(name), example);
    example.learned[1] = false;
    std::string second = all;
    for (const char bracket : {'[', ']'}) second.erase(second.find(bracket), 1);
    EXPECT_EQ(marked(read(name), example), second);
    example.learned[3] = false;
    EXPECT_EQ(marked(read(name), example).find('['), std::string::npos);
  }
}

TEST(ChatSpans, ToolsGoToTheTemplateAndWhereItDoesNotWriteThemThatIsTold) {
  ChatExample example = example_of(kTalk);
  example.variables["tools"] = Json::array({{{"name", "add"}}});
  EXPECT_TRUE(chat_text(read("chatml.jinja"), example).leaves_variables_out);
  EXPECT_FALSE(chat_text(read("qwen25.jinja"), example).leaves_variables_out);
  EXPECT_NE(marked(read("qwen25.jinja"), example).find("{\"name\": \"add\"}"), std::string::npos);
}

TEST(ChatSpans, RefusesAConversationThatBeginsWithTheAssistant) {
  EXPECT_NE(refusal("chatml.jinja", {{{"role", "assistant"}, {"content", "Hi"}}}).find("begins with the assistant"),
            std::string::npos);
}

}  // namespace
}  // namespace headroom
