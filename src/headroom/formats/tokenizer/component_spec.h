// One component of a tokenizer.json ({"type": "Split", ...}) as its reader sees it: typed fields, each wrong one
// refused with the file, the component and the field in the sentence.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

class ComponentSpec {
 public:
  // `where` is "FILE: pre_tokenizer" and the like. `spec` must outlive this; it may be null.
  ComponentSpec(const nlohmann::json& spec, std::string where);

  bool is_null() const;
  // Throws InvalidInput if there is no type.
  const std::string& type() const { return type_; }
  // "FILE: pre_tokenizer Split"
  const std::string& where() const { return where_; }
  const nlohmann::json& json() const { return *spec_; }

  bool boolean(const char* name, bool missing) const;
  std::string text(const char* name) const;
  // {"String": s} or {"Regex": r}
  struct Pattern {
    bool is_regex;
    std::string text;
  };
  Pattern pattern(const char* name) const;
  // The specs of an array field.
  std::vector<ComponentSpec> list(const char* name) const;

  // For a Sequence the specs inside, nested ones flattened; nothing for null; otherwise this alone.
  std::vector<ComponentSpec> flatten(const char* sequence_field) const;

  [[noreturn]] void refuse(std::string_view reason) const;
  [[noreturn]] void refuse_type(std::string_view known) const;

 private:
  const nlohmann::json& field(const char* name) const;

  const nlohmann::json* spec_;
  std::string role_;
  std::string type_;
  std::string where_;
};

}  // namespace headroom
