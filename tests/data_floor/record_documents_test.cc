// The kinds of examples that people have, by the names of their fields.
#include "headroom/data/record_documents.h"

#include <gtest/gtest.h>

#include "tests/data_floor/collector.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::string kUser = R"({"role":"user","content":"q"})";
const std::string kAnswer = R"({"role":"assistant","content":"a"})";
const std::string kChat = "[" + kUser + "," + kAnswer + "]";

class RecordDocumentsTest : public testing::Test {
 protected:
  std::string document(const std::string& fields) {
    Collector collector;
    preferences_ = read_documents(directory_.write("a.jsonl", "{" + fields + "}"), collector);
    return collector.documents.empty() ? "" : collector.documents[0];
  }
  void refused(const std::string& fields, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, document(fields));
  }
  TemporaryDirectory directory_;
  int64_t preferences_ = 0;
};

TEST_F(RecordDocumentsTest, InstructionsWithTheirOutput) {
  EXPECT_EQ(document(R"("instruction": "i", "input": "x", "output": "o")"), "i+x=o");
  EXPECT_EQ(document(R"("instruction": "i", "input": "", "output": "o", "text": "Below ...")"), "i+=o");
  EXPECT_EQ(document(R"("system": "s", "instruction": "i", "output": "o")"), "si+=o");
  refused(R"("instruction": "i", "input": "x")", "\"instruction\" without \"output\"");
  refused(R"("instruction": "i", "output": "o", "history": [["a", "b"]])", "the field \"history\" beside an example");
  refused(R"("instruction": "i", "output": "o", "messages": [])", "several kinds");
}

TEST_F(RecordDocumentsTest, ConversationsAsShareGptHasThem) {
  EXPECT_EQ(document(R"("conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}])"),
            kChat + " 1");
  EXPECT_EQ(document(R"("conversations": [{"role": "user", "content": "q"}, {"from": "assistant", "value": "a"}])"),
            kChat + " 1");
  EXPECT_EQ(document(R"("system": "s", "conversations": [{"from": "human", "value": "q"}], "id": "x_1")"),
            R"([{"role":"system","content":"s"},)" + kUser + "] ");
  refused(R"("conversations": [{"from": "narrator", "value": "q"}])", "a message from \"narrator\"");
}

TEST_F(RecordDocumentsTest, TextsInPartsAreOneText) {
  EXPECT_EQ(document(R"("messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, )" + kAnswer + "]"),
            kChat + " 1");
  EXPECT_EQ(document(R"("messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}])"),
            R"([{"role":"user","content":"ab"}] )");
  refused(R"("messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])",
          "a part of \"content\" is \"image_url\"");
}

TEST_F(RecordDocumentsTest, OfAPreferenceTheChosenAnswerIsLearned) {
  EXPECT_EQ(document(R"("prompt": "p", "chosen": " c", "rejected": " r")"), "p> c");
  EXPECT_EQ(preferences_, 1);
  EXPECT_EQ(document(R"("chosen": "Q: x A: yes", "rejected": "Q: x A: no")"), "Q: x A:> yes");
  const std::string bad = R"({"role":"assistant","content":"b"})";
  EXPECT_EQ(document("\"chosen\": " + kChat + ", \"rejected\": [" + kUser + "," + bad + "]"), kChat + " 1");
  const std::string first = "[" + kUser + "," + kAnswer + "," + kUser + ",";
  EXPECT_EQ(document("\"chosen\": " + first + kAnswer + "], \"rejected\": " + first + bad + "]"),
            first + kAnswer + "] 01");
  EXPECT_EQ(document("\"prompt\": [" + kUser + "], \"chosen\": [" + kAnswer + "], \"rejected\": [" + bad + "]"),
            kChat + " 1");
  EXPECT_EQ(document("\"prompt\": \"q\", \"chosen\": [" + kAnswer + "], \"rejected\": [" + bad + "]"), kChat + " 1");
  EXPECT_EQ(document("\"prompt\": \"q\", \"messages\": " + kChat + ", \"chosen\": " + kChat + ", \"rejected\": [" +
                     kUser + "," + bad + R"(], "score_chosen": 8.5, "score_rejected": 1)"),
            kChat + " 1");
  EXPECT_EQ(preferences_, 1);
  EXPECT_EQ(document(R"("instruction": "i", "input": "x", "chosen": "o", "rejected": "r")"), "i+x=o");
  EXPECT_EQ(document(R"("conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"},
                        "rejected": {"from": "gpt", "value": "b"})"),
            kChat + " 1");
  EXPECT_EQ(document("\"input\": {\"messages\": [" + kUser + "], \"tools\": []}, \"preferred_output\": [" + kAnswer +
                     "], \"non_preferred_output\": [" + bad + "]"),
            kChat + " 1{\"tools\":[]}");
  EXPECT_EQ(preferences_, 1);
  refused("\"preferred_output\": [" + kAnswer + "]", "\"chosen\" without \"rejected\"");
  refused(R"("prompt": "p", "chosen": "c")", "\"chosen\" without \"rejected\"");
  refused(R"("prompt": "p", "completion": "x", "chosen": "c", "rejected": "r")", "\"completion\" beside \"chosen\"");
}

TEST_F(RecordDocumentsTest, PromptsAndCompletionsThatAreMessages) {
  EXPECT_EQ(document("\"prompt\": " + kChat + ", \"completion\": " + kChat),
            "[" + kUser + "," + kAnswer + "," + kUser + "," + kAnswer + "] 01");
  refused("\"prompt\": \"p\", \"completion\": \"c\", \"tools\": []", "\"tools\" beside a prompt that is a text");
}

TEST_F(RecordDocumentsTest, ToolsDocumentsAndVariablesGoToTheTemplate) {
  const std::string messages = "\"messages\": " + kChat;
  EXPECT_EQ(document(messages + R"(, "tools": [{"name": "f", "n": 1.5}])"),
            kChat + R"( 1{"tools":[{"name":"f","n":1.5}]})");
  EXPECT_EQ(document(messages + R"(, "tools": "[{\"name\": \"f\"}]", "documents": [{"text": "d"}])"),
            kChat + R"( 1{"tools":[{"name":"f"}],"documents":[{"text":"d"}]})");
  EXPECT_EQ(document(messages + R"(, "tools": null, "chat_template_kwargs": {"enable_thinking": false})"),
            kChat + R"( 1{"enable_thinking":false})");
  const std::string call = R"({"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f"}}]})";
  EXPECT_EQ(document("\"messages\": [" + kUser + "," + call + "]"), "[" + kUser + "," + call + "] 1");
  refused(messages + R"(, "tools": {})", "expected a list in \"tools\"");
  refused(messages + R"(, "tools": "nothing")", "the JSON in \"tools\": not valid JSON");
  refused(messages + R"(, "tools": ")" + std::string(5000, '[') + "\"", "nested deeper");
  refused(messages + R"(, "chat_template_kwargs": {"messages": []})", "expected variables of the chat template alone");
  refused("\"messages\": [" + kUser + R"(,{"role":"assistant","content":null,"tool_calls":[]}])",
          "a message without a text \"content\"");
}

TEST_F(RecordDocumentsTest, WeightsSayWhatIsLearned) {
  const auto chat = [](const std::string& weight) {
    return "\"messages\": [" + kUser + R"(,{"role":"assistant","content":"a",)" + weight + "}]";
  };
  for (const char* no : {"\"weight\": 0", "\"weight\": 0.0", "\"train\": false"}) {
    EXPECT_EQ(document(chat(no)), kChat + " 0") << no;
    EXPECT_EQ(document("\"messages\": " + kChat + ", " + no), "-") << no;
    EXPECT_EQ(document(std::string("\"prompt\": \"p\", \"completion\": \"c\", ") + no), "-") << no;
    refused(std::string("\"text\": \"a\", ") + no, "a text that is not to be learned");
  }
  for (const char* yes : {"\"weight\": 1", "\"train\": true", "\"weight\": null"}) {
    EXPECT_EQ(document(chat(yes)), kChat + " 1") << yes;
    EXPECT_EQ(document(std::string("\"text\": \"a\", ") + yes), "a") << yes;
  }
  EXPECT_EQ(document(R"("prompt": "p", "completion": "c", "label": false)"), "-");
  EXPECT_EQ(document(R"("prompt": "p", "completion": "c", "label": true)"), "p>c");
  EXPECT_EQ(document(R"("prompt": "p", "completion": "c", "label": "good")"), "p>c");
  refused("\"messages\": " + kChat + ", \"label\": true", "\"label\" beside \"messages\" is not known there");
  refused(chat("\"weight\": 0.5"), "a \"weight\" of 0.5; expected 0 or 1");
  refused(chat("\"train\": \"yes\""), "a \"train\" of \"yes\"");
  refused(R"("messages": [{"role": "user", "content": "q", "weight": 1}])", "expected weights of the assistant's only");
  EXPECT_EQ(document(R"("messages": [{"role": "user", "content": "q", "weight": 0}])"), "[" + kUser + "] ");
}

TEST_F(RecordDocumentsTest, FieldsThatAreNotKnownBesideAConversationAreRefused) {
  refused("\"messages\": " + kChat + ", \"functions\": []", "the field \"functions\" beside an example is not known");
  EXPECT_EQ(document("\"id\": 1, \"source\": \"x\", \"messages\": " + kChat), kChat + " 1");
  EXPECT_EQ(document("\"prompt\": \"q\", \"prompt_id\": \"7\", \"messages\": " + kChat), kChat + " 1");
  refused("\"prompt\": \"other\", \"messages\": " + kChat, "several kinds");
  refused("\"input\": \"other\", \"messages\": " + kChat, "\"input\" beside \"messages\" is not known there");
}

}  // namespace
}  // namespace headroom
