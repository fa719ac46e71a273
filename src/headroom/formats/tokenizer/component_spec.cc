#include "headroom/formats/tokenizer/component_spec.h"

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"

namespace headroom {

ComponentSpec::ComponentSpec(const nlohmann::json& spec, std::string where)
    : spec_(&spec), role_(std::move(where)), where_(role_) {
  if (spec.is_null()) return;
  if (!spec.is_object() || !spec.contains("type") || !spec["type"].is_string()) {
    refuse("expected an object with a type");
  }
  type_ = spec["type"].get<std::string>();
  where_ += " " + type_;
}

bool ComponentSpec::is_null() const { return spec_->is_null(); }

void ComponentSpec::refuse(std::string_view reason) const { throw InvalidInput("{}: {}", where_, reason); }

void ComponentSpec::refuse_type(std::string_view known) const {
  throw InvalidInput("{} is not supported; known: {}", where_, known);
}

const nlohmann::json& ComponentSpec::field(const char* name) const {
  const auto found = spec_->find(name);
  if (found == spec_->end()) throw InvalidInput("{}: the field {} is missing", where_, name);
  return *found;
}

bool ComponentSpec::boolean(const char* name, bool missing) const {
  if (!spec_->contains(name) || (*spec_)[name].is_null()) return missing;
  const nlohmann::json& value = field(name);
  if (!value.is_boolean()) throw InvalidInput("{}: {} must be true or false", where_, name);
  return value.get<bool>();
}

std::string ComponentSpec::text(const char* name) const {
  const nlohmann::json& value = field(name);
  if (!value.is_string()) throw InvalidInput("{}: {} must be a string", where_, name);
  return value.get<std::string>();
}

ComponentSpec::Pattern ComponentSpec::pattern(const char* name) const {
  const nlohmann::json& value = field(name);
  for (const bool is_regex : {false, true}) {
    const char* kind = is_regex ? "Regex" : "String";
    if (value.is_object() && value.size() == 1 && value.contains(kind) && value[kind].is_string()) {
      return {is_regex, value[kind].get<std::string>()};
    }
  }
  throw InvalidInput("{}: {} must be {{\"String\": ...}} or {{\"Regex\": ...}}", where_, name);
}

std::vector<ComponentSpec> ComponentSpec::list(const char* name) const {
  const nlohmann::json& value = field(name);
  if (!value.is_array()) throw InvalidInput("{}: {} must be an array", where_, name);
  std::vector<ComponentSpec> specs;
  for (const nlohmann::json& entry : value) specs.emplace_back(entry, role_);
  return specs;
}

std::vector<ComponentSpec> ComponentSpec::flatten(const char* sequence_field) const {
  if (is_null()) return {};
  if (type_ != "Sequence") return {*this};
  std::vector<ComponentSpec> flat;
  for (const ComponentSpec& inner : list(sequence_field)) {
    for (ComponentSpec& spec : inner.flatten(sequence_field)) flat.push_back(std::move(spec));
  }
  return flat;
}

}  // namespace headroom
