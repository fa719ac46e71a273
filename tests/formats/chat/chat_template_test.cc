// Chat templates against transformers and jinja2 (tests/data/chat/make_chat.py), and templates that mean harm.
#include "headroom/formats/chat/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

const std::string kData = HEADROOM_SOURCE_DIR "/tests/data/chat/";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What went wrong, or nothing.
template <class Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "";
}

std::string render(const std::string& source, const Json& variables = Json::object()) {
  return ChatTemplate(source, "t.jinja", {}).render(Json::array(), false, variables).text;
}

std::string refusal_of(const std::string& source) {
  return refusal([&] { render(source); });
}

TEST(ChatTemplate, WritesConversationsAsTransformersDoes) {
  const Json data = Json::parse(read_file(kData + "chats.json"));
  const ChatTokens tokens = {data["tokens"]["bos_token"], data["tokens"]["eos_token"]};
  int compared = 0;
  for (const Json& chat : data["chats"]) {
    const std::string file = chat["template"];
    const std::string conversation = chat["conversation"];
    SCOPED_TRACE(file + " / " + conversation + (chat["tools"] ? " / tools" : "") + (chat["prompt"] ? " / prompt" : ""));
    const ChatTemplate chat_template(read_file(kData + file), file, tokens);
    Json extra = chat["tools"] ? Json{{"tools", data["tools"]}} : Json::object();
    if (chat.contains("variables")) extra.update(chat["variables"]);
    RenderedChat rendered;
    const std::string refused =
        refusal([&] { rendered = chat_template.render(data["conversations"][conversation], chat["prompt"], extra); });
    if (chat.contains("error")) {
      EXPECT_NE(refused, "") << chat["error"];
      continue;
    }
    ++compared;
    EXPECT_EQ(refused, "");
    EXPECT_EQ(rendered.text, chat["text"].get<std::string>());
    std::vector<std::string> generated;
    for (const TextSpan& span : rendered.generated) {
      generated.push_back(
          rendered.text.substr(static_cast<size_t>(span.begin), static_cast<size_t>(span.end - span.begin)));
    }
    EXPECT_EQ(generated, chat["generated"].get<std::vector<std::string>>());
  }
  EXPECT_GE(compared, 250);
}

TEST(ChatTemplate, EvaluatesAsJinja2Does) {
  const Json data = Json::parse(read_file(kData + "expressions.json"));
  int refused = 0;
  for (const Json& pair : data["expressions"]) {
    const std::string source = pair[0];
    SCOPED_TRACE(source);
    std::string text;
    const std::string words = refusal([&] { text = render(source, data["context"]); });
    if (pair[1].is_null()) {
      EXPECT_NE(words, "") << "gave " << text;
    } else if (words.empty()) {
      EXPECT_EQ(text, pair[1].get<std::string>());
    } else {
      EXPECT_TRUE(words.find("not supported") != std::string::npos) << words;
      ++refused;
    }
  }
  EXPECT_GE(data["expressions"].size(), 500U);
  EXPECT_LE(refused, 40);  // what docs/chat.md says is not supported
}

TEST(ChatTemplate, RefusesByNameWhatItDoesNotSupportBeforeItIsUsed) {
  const std::pair<const char*, const char*> cases[] = {
      {"{% if false %}{% include 'x' %}{% endif %}", "the tag {% include %} is not supported"},
      {"{% call m() %}{% endcall %}", "the tag {% call %} is not supported"},
      {"{% raw %}{% endraw %}", "the tag {% raw %} is not supported"},
      {"{% frobnicate %}", "unknown tag {% frobnicate %}"},
      {"{{ 'a' | urlize if false }}", "the filter urlize is not supported"},
      {"{{ x is sameas y if false }}", "the test sameas is not supported"},
      {"{{ x.format(1) if false }}", "the method format() is not supported"},
      {"{{ now() if false }}", "the function now() is not supported"},
      {"{{ cycler }}", "cycler is not supported"},
      {"{{ f(*a) }}", "* before an argument is not supported"},
      {"{% for x in y recursive %}{% endfor %}", "a recursive for loop is not supported"},
      {"{% for x in y %}{% macro m() %}{% endmacro %}{% endfor %}", "a macro inside of a loop"},
      {"{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}", "inside of a macro"},
      {"{% set x | trim %}{% endset %}", "a filter on a set block is not supported"},
      {"a\n\n{{ 'a' | urlize }}", "t.jinja: chat template, line 3: the filter urlize"},
  };
  for (const auto& [source, words] : cases) {
    const std::string refused =
        refusal([&, template_source = source] { ChatTemplate(template_source, "t.jinja", {}); });
    EXPECT_NE(refused.find(words), std::string::npos) << source << ": " << refused;
  }
}

TEST(ChatTemplate, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"{% if x %}", "t.jinja: chat template, line 1: a block begins here that does not end; expected {% endif %}"},
      {"a\n{{ x", "t.jinja: chat template, line 2: the template ends inside of a tag"},
      {"{{ (1 }}", "unexpected '}', expected ')'"},
      {"{{ 1 + }}", "unexpected '}}'"},
      {"\n\n{{ missing.x }}", "t.jinja: chat template, line 3: missing is undefined"},
      {"{{ messages.x.y }}", "x is undefined"},
      {"{{ {}['role'] + 'a' }}", "role is undefined"},
      {"{{ 1 + 'a' }}", "an integer + a text is not defined"},
      {"{{ raise_exception('roles must alternate') }}", "the template refuses this conversation: roles must alternate"},
      {"{{ 9999999999999999999 }}", "the integer 9999999999999999999 is too large"},
      {"{{ 9223372036854775807 + 1 }}", "integers have 64 bits"},
      {"{{ '\xc3\x84' | lower }}", "lower case of letters beyond ASCII is not supported"},
  };
  for (const auto& [source, words] : cases) {
    const std::string refused = refusal_of(source);
    EXPECT_NE(refused.find(words), std::string::npos) << source << ": " << refused;
  }
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(ChatTemplate, EndsWhateverTheTemplateDoes) {
  const std::string rows = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
  const std::string doubling =
      "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
  const std::string lists =
      "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
  const std::string kept =
      "{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% for b in range(50000) %}{% set ns.x = ns.x + "
      "[loop] %}{% break %}{% endfor %}{% endfor %}";
  const std::string deep = "{% set ns = namespace(x=[]) %}{% for a in range(99) %}{% set ns.x = [ns.x] %}{% endfor %}";
  const std::pair<std::string, const char*> cases[] = {
      {rows, "does not come to an end"},
      {doubling, "of memory for this conversation"},
      {lists, "of memory for this conversation"},
      {kept, "of memory for this conversation"},
      {deep, "more than 64 deep"},
      {"{{ 'abc' * 100000000 }}", "is too large"},
      {"{% for a in range(10000) %}{{ 'x' * 1000 }}{% endfor %}", "as the chat template writes it has more than"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "a macro that calls itself?"},
      {"{{ " + repeated("(", 500) + "1" + repeated(")", 500) + " }}", "deep"},
      {"{{ " + repeated("not ", 500) + "1 }}", "deep"},
      {"{{ " + repeated("-", 500) + "1 }}", "deep"},
      {"{{ 1" + repeated(" + 1", 500) + " }}", "operators in a row"},
      {"{{ x" + repeated(".x", 500) + " }}", "operators in a row"},
      {repeated("{% if 1 %}", 500) + repeated("{% endif %}", 500), "deep"},
      {"{{ [" + repeated("1,", 20000) + "] }}", "more parts than its size allows"},
      {std::string(70000, 'x'), "has 70,000 bytes; expected at most 65,536"},
      {"{{ 'abc'.replace('', 'x' * 100000) * 100 }}", "is too large"},
  };
  for (const auto& [source, words] : cases) {
    EXPECT_NE(refusal_of(source).find(words), std::string::npos) << source.substr(0, 90) << ": " << refusal_of(source);
  }
}

TEST(ChatTemplate, RefusesWhatIsNoConversation) {
  const ChatTemplate chat_template("{{ messages[0].content }}", "t.jinja", {});
  EXPECT_NE(refusal([&] { chat_template.render("x", false); }).find("expected an array of messages"),
            std::string::npos);
  EXPECT_NE(refusal([&] { chat_template.render({"x"}, false); }).find("expected objects with role"), std::string::npos);
  Json deep = "x";
  for (int i = 0; i < 100; ++i) deep = Json::array({deep});
  EXPECT_NE(refusal([&] { chat_template.render({{{"content", deep}}}, false); }).find("deep"), std::string::npos);
  EXPECT_NE(refusal([&] { ChatTemplate("\xff", "t.jinja", {}); }).find("is not UTF-8"), std::string::npos);
}

TEST(ChatTemplate, HasNoTokenThatTheModelHasNot) {
  EXPECT_EQ(render("{{ bos_token }}{{ bos_token is defined }}{{ tools is none }}"), "FalseTrue");
}

}  // namespace
}  // namespace headroom
