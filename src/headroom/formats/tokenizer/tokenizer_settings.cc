#include "headroom/formats/tokenizer/tokenizer_settings.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "headroom/base/file.h"
#include "headroom/formats/json/json_scan.h"

namespace headroom {
namespace {

using Kind = JsonEvent::Kind;

// The loaders of transformers 4 that replace the post_processor by what they were told, or by these defaults.
struct FramingLoader {
  std::string_view name;  // "Fast" may follow
  bool begins;
  std::string_view bos;
  std::string_view eos;
};
constexpr FramingLoader kFramingLoaders[] = {{"LlamaTokenizer", true, "<s>", "</s>"},
                                             {"CodeLlamaTokenizer", true, "<s>", "</s>"},
                                             {"GemmaTokenizer", true, "<bos>", "<eos>"},
                                             {"CohereTokenizer", true, "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"},
                                             {"GPTNeoXTokenizer", false, "<|endoftext|>", "<|endoftext|>"}};

// Tokens are texts, or objects with their content.
class SettingsReader : public JsonVisitor {
 public:
  TokenizerSettings settings;
  std::string loader;
  std::optional<bool> begins;
  std::optional<bool> ends;
  bool lists_added_tokens = false;  // added_tokens_decoder: special_tokens_map.json has nothing to say then

  void event(const JsonEvent& event) override {
    if (event.path.empty()) return;
    const std::string& key = event.path[0];
    for (const auto& [name, role] : roles_) {
      if (key == name) return token(event, *role);
    }
    if (event.path.size() != 1) return;
    if (key == "tokenizer_class" && event.kind == Kind::text) loader = event.text;
    if (key == "add_bos_token") begins = event.kind == Kind::boolean && event.boolean;
    if (key == "add_eos_token") ends = event.kind == Kind::boolean && event.boolean;
    if (key == "added_tokens_decoder") lists_added_tokens = true;
  }

 private:
  static void token(const JsonEvent& event, std::optional<std::string>& role) {
    const bool is_content = event.path.size() == 2 && event.path[1] == "content";
    if (event.kind == Kind::text && (event.path.size() == 1 || is_content)) role = event.text;
    if (event.kind == Kind::null && event.path.size() == 1) role = "";
  }

  const std::pair<const char*, std::optional<std::string>*> roles_[3] = {
      {"bos_token", &settings.bos}, {"eos_token", &settings.eos}, {"pad_token", &settings.pad}};
};

class ModelReader : public JsonVisitor {
 public:
  std::string loader;
  std::string model_type;

  void event(const JsonEvent& event) override {
    if (event.path.size() != 1 || event.kind != Kind::text) return;
    if (event.path[0] == "tokenizer_class") loader = event.text;
    if (event.path[0] == "model_type") model_type = event.text;
  }
};

bool scan_if_there(const std::string& path, JsonVisitor& visitor) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return false;
  scan_json_file(path, visitor);
  return true;
}

std::optional<TokenizerSettings::Frame> frame_of(const SettingsReader& config) {
  for (const FramingLoader& known : kFramingLoaders) {
    if (config.loader != known.name && config.loader != std::string(known.name) + "Fast") continue;
    TokenizerSettings::Frame frame;
    frame.loader = config.loader;
    frame.default_bos = known.bos;
    frame.default_eos = known.eos;
    frame.begins = config.begins.value_or(known.begins);
    frame.ends = config.ends.value_or(false);
    frame.says_begins = config.begins.has_value();
    frame.says_ends = config.ends.has_value();
    return frame;
  }
  return std::nullopt;
}

}  // namespace

TokenizerSettings read_tokenizer_settings(const std::string& tokenizer_json) {
  const std::filesystem::path folder(parent_of(tokenizer_json));
  SettingsReader config;
  config.settings.file = (folder / "tokenizer_config.json").string();
  const bool has_config = scan_if_there(config.settings.file, config);
  if (has_config && config.loader.empty()) {
    ModelReader model;
    scan_if_there((folder / "config.json").string(), model);
    config.loader = model.loader;
    // Without any class transformers goes by the model's type, other loaders by the tokenizer.json: what the file says
    // is heeded, what it leaves to a default is not.
    if (config.loader.empty() && model.model_type == "llama" && (config.begins || config.ends)) {
      config.loader = "LlamaTokenizer";
    }
  }
  config.settings.frame = frame_of(config);
  if (!config.lists_added_tokens) {
    SettingsReader map;
    scan_if_there((folder / "special_tokens_map.json").string(), map);
    const auto replace = [](std::optional<std::string>& role, std::optional<std::string>& by) {
      if (by) role = std::move(by);
    };
    replace(config.settings.bos, map.settings.bos);
    replace(config.settings.eos, map.settings.eos);
    replace(config.settings.pad, map.settings.pad);
  }
  return std::move(config.settings);
}

}  // namespace headroom
