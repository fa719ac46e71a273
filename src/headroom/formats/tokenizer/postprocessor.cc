#include "headroom/formats/tokenizer/postprocessor.h"

#include <nlohmann/json.hpp>

namespace headroom {
namespace {

// Only changes offsets of tokens in the text, which headroom has no use for.
void add_byte_level(const ComponentSpec&, SurroundingIds&) {}

int32_t read_id(const ComponentSpec& spec, const nlohmann::json& id) {
  if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX) {
    spec.refuse("an id that is no token id");
  }
  return id.get<int32_t>();
}

// "single" is a list of {"SpecialToken": {"id": name}} around one {"Sequence": {"id": "A"}}; "special_tokens" gives
// each name its ids.
void add_template(const ComponentSpec& spec, SurroundingIds& ids) {
  const nlohmann::json& json = spec.json();
  try {
    if (!ids.before.empty() || !ids.after.empty()) spec.refuse("more than one template");
    bool text_seen = false;
    for (const nlohmann::json& part : json.at("single")) {
      if (part.contains("Sequence")) {
        if (text_seen) spec.refuse("more than one Sequence in single");
        text_seen = true;
        continue;
      }
      const std::string name = part.at("SpecialToken").at("id").get<std::string>();
      for (const nlohmann::json& id : json.at("special_tokens").at(name).at("ids")) {
        (text_seen ? ids.after : ids.before).push_back(read_id(spec, id));
      }
    }
    if (!text_seen) spec.refuse("no Sequence in single");
  } catch (const nlohmann::json::exception& error) {
    spec.refuse(error.what());
  }
}

// "cls" and "sep" are [name, id]: the one before, the other after a text.
void add_bert(const ComponentSpec& spec, SurroundingIds& ids) {
  if (!ids.before.empty() || !ids.after.empty()) spec.refuse("more than one template");
  for (const bool is_before : {true, false}) {
    const char* name = is_before ? "cls" : "sep";
    const nlohmann::json& json = spec.json();
    const nlohmann::json token = json.contains(name) ? json[name] : nlohmann::json();
    if (!token.is_array() || token.size() != 2) spec.refuse(std::string(name) + " must be [name, id]");
    (is_before ? ids.before : ids.after).push_back(read_id(spec, token[1]));
  }
}

struct PostprocessorKind {
  std::string_view type;
  void (*add)(const ComponentSpec&, SurroundingIds&);
};

constexpr PostprocessorKind kPostprocessorKinds[] = {{"BertProcessing", add_bert},
                                                     {"ByteLevel", add_byte_level},
                                                     {"RobertaProcessing", add_bert},
                                                     {"TemplateProcessing", add_template}};

void add(const ComponentSpec& spec, SurroundingIds& ids) {
  for (const PostprocessorKind& kind : kPostprocessorKinds) {
    if (kind.type == spec.type()) return kind.add(spec, ids);
  }
  spec.refuse_type("BertProcessing, ByteLevel, RobertaProcessing, TemplateProcessing, Sequence");
}

}  // namespace

SurroundingIds read_postprocessor(const ComponentSpec& spec) {
  SurroundingIds ids;
  for (const ComponentSpec& part : spec.flatten("processors")) add(part, ids);
  return ids;
}

}  // namespace headroom
