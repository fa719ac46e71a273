// A file of data, text, JSON or a table, packed or not: refused with a sentence, or documents within their bounds.
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/data/chat_examples.h"
#include "headroom/data/json_value.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/tokenizer/utf8_check.h"
#include "tests/fuzz/input_file.h"

namespace {

void check_text(std::string_view text) {
  headroom::Utf8Check check;
  for (const char byte : text) {
    if (!check.feed(static_cast<uint8_t>(byte))) std::abort();
  }
  if (!check.is_between_characters()) std::abort();
}

class Checked final : public headroom::DocumentSink {
 public:
  void text(std::string_view piece) override {
    if (piece.empty()) std::abort();
    check_text(piece);
  }
  void end_text(bool /*open_ended*/) override {}
  void prompt_completion(const std::string& prompt, const std::string& completion) override {
    if (static_cast<int64_t>(prompt.size() + completion.size()) > headroom::kMaxExampleBytes) std::abort();
    check_text(prompt);
    check_text(completion);
  }
  void instruction(const headroom::Instruction& instruction) override {
    for (const std::string& part : {instruction.instruction, instruction.input, instruction.output}) check_text(part);
  }
  void conversation(const headroom::ChatExample& example) override {
    const size_t count = example.messages.size();
    if (count == 0 || count > headroom::kMaxMessages || count != example.learned.size()) std::abort();
    for (size_t i = 0; i < count; ++i) {
      if (!example.messages[i].at("role").is_string()) std::abort();
      if (example.learned[i] && example.messages[i]["role"] != "assistant") std::abort();
    }
  }
  void left_out() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const headroom::testing::InputFile file(data, size);
  try {
    Checked sink;
    headroom::read_documents(file.path(), sink);
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
