#include "headroom/api/prompt_rows.h"

#include <algorithm>
#include <charconv>

#include "headroom/api/prompt.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/data/chat_examples.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/generate/generation_job.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFields[] = {"prompt", "seed", "id"};
constexpr std::string_view kChatFields[] = {"messages", "system", "tools", "documents", "chat_template_kwargs"};

bool is_among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Json message(const char* role, Json text) { return Json::array({{{"role", role}, {"content", std::move(text)}}}); }

// Cells of tables are texts.
uint64_t read_seed(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    uint64_t seed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (error == std::errc() && end == text.data() + text.size()) return seed;
  }
  throw InvalidInput("a \"seed\" of {}; expected a number from 0", printable(value.dump()));
}

}  // namespace

PromptRows::PromptRows(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model)
    : options_(options), tokenizer_(tokenizer), model_(model), file_(options.prompts) {
  if (file_.form() == DataForm::text) {
    throw InvalidInput(
        "{}: is a text; expected prompts, one JSON object a line: {{\"prompt\": \"...\"}}; try --prompt-file for one "
        "prompt",
        options.prompts);
  }
  records_ = open_records(file_);
  if (options.chat) chat_template_ = load_chat_template(options.model, kPromptTextBytes);
}

std::optional<PromptRow> PromptRows::next() {
  if (!records_->next()) return std::nullopt;
  RecordRoom room(kMaxExampleBytes, kMaxExampleValues);
  Json fields = Json::object();
  std::string name;
  while (records_->next_field(name)) {
    if (!is_among(kFields, name) && !is_among(kChatFields, name)) {
      records_->fail(fmt::format(
          "the field \"{}\" of a prompt is not known; expected \"prompt\" or, with --chat, \"messages\", and perhaps "
          "\"id\" and \"seed\"",
          printable(name)));
    }
    if (fields.contains(name)) records_->fail(fmt::format("\"{}\" occurs twice", name));
    Json value = records_->value(room);
    if (!value.is_null()) fields[name] = std::move(value);
  }
  try {
    PromptRow row;
    if (fields.contains("seed")) row.seed = read_seed(fields["seed"]);
    if (fields.contains("id")) row.id = std::move(fields["id"]);
    fields.erase("seed");
    fields.erase("id");
    row.ids = options_.chat ? encode_chat(std::move(fields)) : encode(std::move(fields));
    return row;
  } catch (const InvalidInput& error) {
    records_->fail(error.what());
  }
}

std::vector<int32_t> PromptRows::encode(Json fields) const {
  for (const auto& [name, value] : fields.items()) {
    if (name != "prompt") throw InvalidInput("\"{}\" goes through the model's chat template; try --chat", name);
  }
  if (!fields.contains("prompt") || !fields["prompt"].is_string())
    throw InvalidInput("a prompt without a text \"prompt\"");
  return encode_prompt(fields["prompt"].get_ref<const std::string&>(), options_, tokenizer_, model_);
}

std::vector<int32_t> PromptRows::encode_chat(Json fields) const {
  if (fields.contains("prompt") == fields.contains("messages")) {
    throw InvalidInput("a conversation with {} \"prompt\" {} \"messages\"; expected one of them",
                       fields.contains("prompt") ? "both" : "neither", fields.contains("prompt") ? "and" : "nor");
  }
  ChatExample example;
  if (fields.contains("system")) {
    add_messages(example, message("system", fields["system"]), "system", false);
  } else if (!options_.system.empty()) {
    add_messages(example, message("system", options_.system), "system", false);
  }
  if (fields.contains("prompt")) {
    add_messages(example, message("user", fields["prompt"]), "prompt", false);
  } else {
    add_messages(example, fields["messages"], "messages", false);
  }
  for (const char* name : {"tools", "documents", "chat_template_kwargs"}) {
    if (fields.contains(name)) add_variables(example, name, fields[name]);
  }
  const std::string text = chat_template_->render(example.messages, true, example.variables).text;
  const int64_t room = prompt_room(options_, model_);
  std::vector<int32_t> ids = encode_as_it_is(text, options_.model, tokenizer_, model_, room);
  if (ids.empty()) throw InvalidInput("{}: the chat template writes nothing for it", chat_template_->where());
  if (static_cast<int64_t>(ids.size()) > room) refuse_prompt(options_, room);
  return ids;
}

PromptSurvey survey_prompts(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model) {
  PromptRows rows(options, tokenizer, model);
  PromptSurvey survey;
  while (const std::optional<PromptRow> row = rows.next()) {
    ++survey.prompts;
    survey.longest = std::max(survey.longest, static_cast<int64_t>(row->ids.size()));
  }
  if (survey.prompts == 0) throw InvalidInput("{}: has no prompts", options.prompts);
  return survey;
}

}  // namespace headroom
