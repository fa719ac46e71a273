// The prompts of `generate --prompts`: records of a file (docs/prompts.md), each as token ids.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "headroom/data/records.h"
#include "headroom/formats/chat/chat_template.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/headroom.h"
#include "headroom/models/model.h"

namespace headroom {

struct PromptRow {
  std::vector<int32_t> ids;  // not empty, in the model's vocabulary, at most options.context if that is not 0
  std::optional<uint64_t> seed;
  nlohmann::ordered_json id;  // null: none was given
};

class PromptRows {
 public:
  // All borrowed. Throws InvalidInput where options.prompts holds no records, or with options.chat the model has no
  // chat template.
  PromptRows(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model);

  // Nothing behind the last. Throws InvalidInput naming the line for what is no prompt.
  std::optional<PromptRow> next();

 private:
  std::vector<int32_t> encode(nlohmann::ordered_json fields) const;
  std::vector<int32_t> encode_chat(nlohmann::ordered_json fields) const;

  const GenerateOptions& options_;
  const Tokenizer& tokenizer_;
  const Model& model_;
  std::optional<ChatTemplate> chat_template_;
  DataFile file_;
  std::unique_ptr<Records> records_;
};

// What a job over all of them needs to know before it is planned.
struct PromptSurvey {
  int64_t prompts = 0;
  int64_t longest = 0;  // tokens
};
// Reads the whole file once. Throws as PromptRows does, and InvalidInput for a file without prompts.
PromptSurvey survey_prompts(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model);

}  // namespace headroom
