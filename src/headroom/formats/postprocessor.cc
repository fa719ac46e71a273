#include "headroom/formats/postprocessor.h"

#include <nlohmann/json.hpp>

namespace headroom {
namespace {

// Only changes offsets of tokens in the text, which headroom has no use for.
void add_byte_level(const ComponentSpec&, SurroundingIds&) {}

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
        if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) spec.refuse("an id that is no token id");
        (text_seen ? ids.after : ids.before).push_back(id.get<int32_t>());
      }
    }
    if (!text_seen) spec.refuse("no Sequence in single");
  } catch (const nlohmann::json::exception& error) {
    spec.refuse(error.what());
  }
}

struct Kind {
  std::string_view type;
  void (*add)(const ComponentSpec&, SurroundingIds&);
};

constexpr Kind kKinds[] = {{"ByteLevel", add_byte_level}, {"TemplateProcessing", add_template}};

void add(const ComponentSpec& spec, SurroundingIds& ids) {
  for (const Kind& kind : kKinds) {
    if (kind.type == spec.type()) return kind.add(spec, ids);
  }
  spec.refuse_type("ByteLevel, TemplateProcessing, Sequence");
}

}  // namespace

SurroundingIds read_postprocessor(const ComponentSpec& spec) {
  SurroundingIds ids;
  for (const ComponentSpec& part : spec.flatten("processors")) add(part, ids);
  return ids;
}

}  // namespace headroom
