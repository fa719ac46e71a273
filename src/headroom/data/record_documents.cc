#include "headroom/data/record_documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/data/chat_examples.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostNamesSaid = 8;

// Fields that say what is learned, or go to the chat template.
constexpr std::string_view kHeld[] = {"prompt",
                                      "completion",
                                      "messages",
                                      "conversations",
                                      "instruction",
                                      "input",
                                      "output",
                                      "system",
                                      "chosen",
                                      "rejected",
                                      "tools",
                                      "documents",
                                      "weight",
                                      "label",
                                      "train",
                                      "chat_template_kwargs",
                                      "preferred_output",
                                      "non_preferred_output"};

// Fields beside examples that people keep about them, and that change nothing.
constexpr std::string_view kAboutExamples[] = {
    "id",       "idx",  "index",    "uuid",    "prompt_id", "conversation_id",    "source",         "dataset",
    "category", "lang", "language", "model",   "score",     "score_chosen",       "score_rejected", "metadata",
    "meta",     "url",  "license",  "created", "timestamp", "parallel_tool_calls"};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Of two texts that begin alike, as TRL cuts them: a space before where they differ belongs to what differs.
size_t common_prompt(const std::string& a, const std::string& b) {
  size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (at > 0 && at < a.size() && (static_cast<uint8_t>(a[at]) & 0xc0) == 0x80) --at;
  return at > 0 && a[at - 1] == ' ' ? at - 1 : at;
}

Json only_message(const char* role, const std::string& text) {
  Json list = Json::array();
  list.push_back({{"role", role}, {"content", text}});
  return list;
}

class Record {
 public:
  Record(Records& records, DocumentSink& sink) : records_(records), sink_(sink) {}

  // Returns whether it was a preference.
  bool read() {
    std::string name;
    while (records_.next_field(name)) {
      if (names_.size() <= kMostNamesSaid) names_.push_back(name);
      if (name == "text") {
        read_text();
      } else if (is_among(kHeld, name)) {
        if (fields_.contains(name)) records_.fail(fmt::format("\"{}\" occurs twice", name));
        Json value = records_.value(room_);
        if (!value.is_null()) fields_[name] = std::move(value);
      } else {
        if (unknown_.empty() && !is_among(kAboutExamples, name)) unknown_ = name;
        records_.skip();
      }
    }
    try {
      return pass();
    } catch (const InvalidInput& error) {
      records_.fail(error.what());
    }
  }

 private:
  // Alpaca's files have the rendered example behind its parts.
  void read_text() {
    if (has_text_) records_.fail("\"text\" occurs twice");
    if (has("instruction")) return records_.skip();
    has_text_ = true;
    records_.text("text", [&](std::string_view piece) {
      sink_.text(piece);
      is_empty_ = false;
    });
  }

  bool has(const char* name) const { return fields_.contains(name); }

  std::string text_of(const char* name) const {
    const auto field = fields_.find(name);
    if (field == fields_.end()) return "";
    if (!field->is_string()) throw InvalidInput("expected a text in \"{}\"", name);
    return *field;
  }

  bool pass() {
    take_open_ai_names();
    drop_copies();
    const bool is_preference = has("chosen") || has("rejected");
    const bool is_completion = !is_preference && (has("prompt") || has("completion"));
    const bool is_chat = !is_preference && has("conversations");
    const bool is_instruction = !is_preference && has("instruction");
    const int kinds = int{has_text_} + int{is_completion} + int{has("messages")} + int{is_chat} + int{is_instruction} +
                      int{is_preference};
    if (kinds != 1) refuse_kinds(kinds);
    for (const char* name : {"weight", "train"}) {
      const bool is_empty_cell = !records_.is_typed() && has(name) && fields_[name] == "";
      if (has(name) && !is_empty_cell && !is_learned(name, fields_[name])) is_left_out_ = true;
    }
    // Of completions that were judged one by one (TRL's KTO), the bad ones.
    if (is_completion && has("label") && fields_["label"] == false) is_left_out_ = true;
    if (has_text_) {
      if (is_left_out_) throw InvalidInput("a text that is not to be learned; expected it to be left out of the file");
      if (!is_empty_) sink_.end_text(false);
      return false;
    }
    if (is_completion) {
      pass_completion();
      return false;
    }
    if (!unknown_.empty()) {
      throw InvalidInput(
          "the field \"{}\" beside an example is not known, and might change what is to be learned; expected it to be "
          "left out",
          printable(unknown_));
    }
    if (is_preference) {
      pass_preference();
    } else if (has("instruction")) {
      pass_instruction();
    } else {
      ChatExample example;
      const char* name = has("messages") ? "messages" : "conversations";
      const std::string system = text_of("system");
      if (!system.empty()) add_messages(example, only_message("system", system), "system", false);
      add_messages(example, fields_[name], name, true);
      pass_chat(example, name, {name, "system"});
    }
    return is_preference;
  }

  // {"input": {"messages": [...], "tools": [...]}, "preferred_output": [...], "non_preferred_output": [...]}
  void take_open_ai_names() {
    if (!has("preferred_output") || has("chosen") || has("rejected") || has("prompt")) return;
    fields_["chosen"] = std::exchange(fields_["preferred_output"], nullptr);
    if (has("non_preferred_output")) fields_["rejected"] = std::exchange(fields_["non_preferred_output"], nullptr);
    for (const char* name : {"preferred_output", "non_preferred_output"}) fields_.erase(name);
    if (!has("input") || !fields_["input"].is_object()) return;
    const Json input = std::exchange(fields_["input"], nullptr);
    fields_.erase("input");
    for (const auto& [name, value] : input.items()) {
      if (name != "messages" && name != "tools" && !is_among(kAboutExamples, name)) {
        throw InvalidInput("\"{}\" in \"input\" is not known there; expected it to be left out", printable(name));
      }
      if (name == "tools") fields_["tools"] = value;
      if (name == "messages") fields_["prompt"] = value;
    }
  }

  // Data sets that repeat the question beside the conversation, or the conversation beside the answer.
  void drop_copies() {
    if (has("chosen") && has("messages") && fields_["messages"] == fields_["chosen"]) fields_.erase("messages");
    if (!has("messages") || !has("prompt") || !fields_["messages"].is_array()) return;
    for (const Json& message : fields_["messages"]) {
      if (!message.is_object() || message.value("role", Json()) != "user") continue;
      if (message.value("content", Json()) == fields_["prompt"]) fields_.erase("prompt");
      return;
    }
  }

  [[noreturn]] void refuse_kinds(int kinds) const {
    std::string said;
    if (kinds == 0) {
      for (size_t i = 0; i < std::min(names_.size(), kMostNamesSaid); ++i) {
        said += fmt::format("{}\"{}\"", i == 0 ? " but " : ", ", printable(names_[i]));
      }
      if (names_.size() > kMostNamesSaid) said += ", ...";
    }
    const char* otherwise = kinds == 0 ? "; JSON that is itself to be learned goes into a \"text\"" : "";
    throw InvalidInput(
        "the object has {}{}; expected exactly one of \"text\", \"prompt\" with \"completion\", \"messages\", "
        "\"conversations\", \"instruction\" with \"output\", and \"chosen\" with \"rejected\"{}",
        kinds == 0 ? "no field that says what to learn" : "several kinds of fields to learn from", said, otherwise);
  }

  // Beside an example of this kind there are no fields for another one.
  void refuse_others(std::string_view kind, std::initializer_list<std::string_view> known) const {
    for (const auto& [name, value] : fields_.items()) {
      if (name != "weight" && name != "train" && !is_among(known, name)) {
        throw InvalidInput("\"{}\" beside \"{}\" is not known there; expected it to be left out", name, kind);
      }
    }
  }

  void pass_completion() {
    if (!has("prompt") || !has("completion")) {
      throw InvalidInput("the object has \"{}\" without \"{}\"", has("prompt") ? "prompt" : "completion",
                         has("prompt") ? "completion" : "prompt");
    }
    if (fields_["prompt"].is_array() && fields_["completion"].is_array()) {
      ChatExample example;
      add_messages(example, fields_["prompt"], "prompt", false);
      add_messages(example, fields_["completion"], "completion", true);
      return pass_chat(example, "completion", {"prompt", "completion", "label"});
    }
    for (const char* name : {"tools", "documents", "chat_template_kwargs"}) {
      if (has(name)) throw InvalidInput("\"{}\" beside a prompt that is a text; expected it beside messages", name);
    }
    pass_text(text_of("prompt"), text_of("completion"));
  }

  void pass_instruction() {
    refuse_others("instruction", {"instruction", "input", "output", "system"});
    if (!has("output")) throw InvalidInput("the object has \"instruction\" without \"output\"");
    if (is_left_out_) return sink_.left_out();
    sink_.instruction({text_of("instruction"), text_of("input"), text_of("output"), text_of("system")});
  }

  void pass_preference() {
    if (!has("chosen") || !has("rejected")) {
      throw InvalidInput("the object has \"{}\" without \"{}\"", has("chosen") ? "chosen" : "rejected",
                         has("chosen") ? "rejected" : "chosen");
    }
    for (const char* name : {"chosen", "rejected"}) {
      if (fields_[name].is_object()) fields_[name] = Json::array({fields_[name]});
    }
    const Json& chosen = fields_["chosen"];
    const Json& rejected = fields_["rejected"];
    if (chosen.is_array() && rejected.is_array()) return pass_preferred_chat(chosen, rejected);
    if (has("instruction")) {
      refuse_others("chosen", {"chosen", "rejected", "instruction", "input", "system"});
      if (is_left_out_) return sink_.left_out();
      return sink_.instruction({text_of("instruction"), text_of("input"), text_of("chosen"), text_of("system")});
    }
    refuse_others("chosen", {"chosen", "rejected", "prompt"});
    const std::string text = text_of("chosen");
    if (has("prompt")) return pass_text(text_of("prompt"), text);
    const size_t prompt = common_prompt(text, text_of("rejected"));
    pass_text(text.substr(0, prompt), text.substr(prompt));
  }

  // Learned is what stands in the chosen conversation alone.
  void pass_preferred_chat(const Json& chosen, const Json& rejected) {
    ChatExample example;
    size_t common = 0;
    if (const std::string system = text_of("system"); !system.empty()) {
      add_messages(example, only_message("system", system), "system", false);
    }
    if (has("conversations")) {
      add_messages(example, fields_["conversations"], "conversations", false);
    } else if (has("prompt") && fields_["prompt"].is_array()) {
      add_messages(example, fields_["prompt"], "prompt", false);
    } else {
      while (common < chosen.size() && common < rejected.size() && chosen[common] == rejected[common]) ++common;
      const bool has_question = common > 0 || (!chosen.empty() && chosen[0].value("role", Json()) != "assistant");
      if (has("prompt") && !has_question) {
        add_messages(example, only_message("user", text_of("prompt")), "prompt", false);
      }
    }
    const auto part = [&](size_t begin, size_t end) {
      return Json(chosen.begin() + static_cast<int64_t>(begin), chosen.begin() + static_cast<int64_t>(end));
    };
    if (common > 0) add_messages(example, part(0, common), "chosen", false);
    add_messages(example, part(common, chosen.size()), "chosen", true);
    pass_chat(example, "chosen", {"chosen", "rejected", "system", has("conversations") ? "conversations" : "prompt"});
  }

  void pass_text(const std::string& prompt, const std::string& completion) {
    if (is_left_out_) return sink_.left_out();
    sink_.prompt_completion(prompt, completion);
  }

  void pass_chat(ChatExample& example, std::string_view kind, std::initializer_list<std::string_view> known) {
    for (const char* name : {"tools", "documents", "chat_template_kwargs"}) {
      if (has(name)) add_variables(example, name, fields_[name]);
      fields_.erase(name);
    }
    refuse_others(kind, known);
    fields_.clear();
    if (is_left_out_) return sink_.left_out();
    sink_.conversation(example);
  }

  Records& records_;
  DocumentSink& sink_;
  bool has_text_ = false;
  bool is_empty_ = true;
  bool is_left_out_ = false;
  RecordRoom room_{kMaxExampleBytes, kMaxExampleValues};
  Json fields_ = Json::object();    // those of kHeld that are there
  std::vector<std::string> names_;  // the first few of all
  std::string unknown_;             // the first that is none of ours
};

}  // namespace

int64_t read_records(Records& records, DocumentSink& sink) {
  int64_t preferences = 0;
  while (records.next()) preferences += Record(records, sink).read() ? 1 : 0;
  return preferences;
}

}  // namespace headroom
