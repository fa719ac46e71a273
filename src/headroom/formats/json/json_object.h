// A small JSON document (a config, a state) read whole, as typed members with the file's name in every error. What is
// large or has no bound is streamed instead: json_reader.h.
//
// A member that is null counts as absent, as in Hugging Face configs. All errors are InvalidInput of the form
//   config.json: rope_scaling.factor: expected a number from 1 to 1000, got "x"
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

class JsonObject {
 public:
  static constexpr int64_t kMaxFileBytes = 256 * 1024;

  // Reads `path`, whose content must be one JSON object. Throws as File does, and InvalidInput beyond kMaxFileBytes,
  // for what is not JSON and for a name that occurs twice. NaN and the infinities, which Python writes, and numbers
  // beyond a double's range are refused when they are asked for.
  static JsonObject read(const std::string& path);
  // The same of an object that is there already; `name` is what errors call it.
  static JsonObject of(nlohmann::ordered_json object, std::string_view name);

  bool has(std::string_view key) const;
  bool is_text(std::string_view key) const;
  bool is_array(std::string_view key) const;

  // The member `key`, which must be there, of its type and in its range.
  int64_t integer(std::string_view key, int64_t min, int64_t max) const;
  double real(std::string_view key, double min, double max) const;
  bool boolean(std::string_view key) const;
  std::string text(std::string_view key) const;
  JsonObject object(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key, int64_t min, int64_t max) const;
  std::vector<std::string> texts(std::string_view key) const;

  // The same, or `fallback` where the member is absent.
  int64_t integer_or(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  double real_or(std::string_view key, double fallback, double min, double max) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string text_or(std::string_view key, std::string_view fallback) const;
  std::optional<JsonObject> object_if(std::string_view key) const;

  // Members that are not null, in the file's order: all of them, and those that no call above (has() included) has
  // asked for, so that a model can refuse what it does not understand.
  std::vector<std::string> keys() const;
  std::vector<std::string> unread() const;

  // A copy whose members that nobody understands are to be passed over instead of refused, and whether this is one; so
  // are copies of it and the objects inside it.
  JsonObject ignoring_unknown() const;
  bool ignores_unknown() const;
  // Remembers that the member was; and all that were, in the objects inside too: "rope_scaling.factor".
  void pass_over(std::string_view key) const;
  const std::vector<std::string>& passed_over() const;

  // A copy in which the member is `value`; null takes it away.
  JsonObject with(std::string_view key, nlohmann::ordered_json value) const;

  // All of it, as it was read.
  const nlohmann::ordered_json& json() const;

  // The member's JSON text, shortened; for messages. "absent" where it is.
  std::string show(std::string_view key) const;
  // "config.json: rope_scaling.factor": the beginning of a message about the member.
  std::string where(std::string_view key) const;

 private:
  struct Unknown;
  struct State;
  explicit JsonObject(std::shared_ptr<State> state) : state_(std::move(state)) {}
  const nlohmann::ordered_json* find(std::string_view key) const;
  const nlohmann::ordered_json& require(std::string_view key, const char* expected) const;
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  std::shared_ptr<State> state_;  // shared with the objects inside it
};

// Writes `document` as indented JSON, atomically.
void write_json(const std::string& path, const nlohmann::ordered_json& document);

// MODEL on the command line -> its config: a directory's config.json, what a .gguf file says, or the .json file itself.
JsonObject read_config(const std::string& model);

}  // namespace headroom
