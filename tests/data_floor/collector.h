// Documents as texts that tests can compare: texts as they are, "P>C" for a prompt and its completion, "I+X=O" for an
// instruction, a conversation as its JSON with 1 for each message that is learned, its variables behind.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/data/text_source.h"

namespace headroom {

class Collector : public DocumentSink {
 public:
  void text(std::string_view piece) override {
    current_ += piece;
    longest = std::max(longest, piece.size());
    EXPECT_FALSE(piece.empty());
    EXPECT_NE(static_cast<uint8_t>(piece[0]) & 0xc0, 0x80);
  }
  void end_text(bool open_ended) override {
    documents.push_back(std::exchange(current_, "") + (open_ended ? "..." : ""));
  }
  void prompt_completion(const std::string& prompt, const std::string& completion) override {
    documents.push_back(prompt + ">" + completion);
  }
  void instruction(const Instruction& one) override {
    documents.push_back(one.system + one.instruction + "+" + one.input + "=" + one.output);
  }
  void conversation(const ChatExample& example) override {
    if (example.messages[0]["content"] == "refuse") throw InvalidInput("the template refuses");
    std::string text = example.messages.dump() + " ";
    for (size_t i = 0; i < example.learned.size(); ++i) {
      if (example.messages[i]["role"] == "assistant") text += example.learned[i] ? "1" : "0";
    }
    documents.push_back(text + (example.variables.empty() ? "" : example.variables.dump()));
  }
  void left_out() override { documents.emplace_back("-"); }

  std::vector<std::string> documents;
  size_t longest = 0;

 private:
  std::string current_;
};

}  // namespace headroom
