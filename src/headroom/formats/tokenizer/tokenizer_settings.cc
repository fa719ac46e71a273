#include "headroom/formats/tokenizer/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/json/json_scan.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Kind = JsonEvent::Kind;

constexpr size_t kMaxListedTokens = 65536;
constexpr int64_t kMaxListedId = 1 << 24;

// The classes of transformers 4 that have defaults for roles, and those that replace the post_processor.
struct Loader {
  std::string_view name;  // "Fast" may follow
  bool frames;
  bool begins;
  std::string_view bos;
  std::string_view eos;
  std::string_view unk;
  std::string_view pad;
};
constexpr Loader kLoaders[] = {{"LlamaTokenizer", true, true, "<s>", "</s>", "<unk>", ""},
                               {"CodeLlamaTokenizer", true, true, "<s>", "</s>", "<unk>", ""},
                               {"GemmaTokenizer", true, true, "<bos>", "<eos>", "<unk>", "<pad>"},
                               {"CohereTokenizer", true, true, "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", ""},
                               {"GPTNeoXTokenizer", true, false, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""},
                               {"GPT2Tokenizer", false, false, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""},
                               {"Qwen2Tokenizer", false, false, "", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"}};

// In the order in which transformers adds them.
enum Role : uint8_t { kBos, kEos, kUnk, kSep, kPad, kCls, kMask, kRoles };
constexpr std::string_view kRoleNames[kRoles] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                 "pad_token", "cls_token", "mask_token"};

// tokenizer_config.json or special_tokens_map.json. Tokens are texts, or objects with their content and flags.
class SettingsReader : public JsonVisitor {
 public:
  explicit SettingsReader(std::string file) : file_(std::move(file)) {
    for (TokenRole& role : roles) role.flags.special = true;
  }

  TokenRole roles[kRoles];
  std::vector<TokenRole> additional;
  std::map<int64_t, AddedTokenEntry> listed;  // by id
  bool lists_added_tokens = false;            // added_tokens_decoder
  std::string loader;
  std::optional<bool> begins;
  std::optional<bool> ends;

  void event(const JsonEvent& event) override {
    if (event.path.empty()) return;
    const std::string& key = event.path[0];
    for (int role = 0; role < kRoles; ++role) {
      if (key == kRoleNames[role]) return take(event, 1, roles[role]);
    }
    if (key == "additional_special_tokens" || key == "extra_special_tokens") return take_additional(event);
    if (key == "added_tokens_decoder") return take_listed(event);
    if (event.path.size() != 1) return;
    if (key == "tokenizer_class" && event.kind == Kind::text) loader = event.text;
    if (key == "add_bos_token") begins = event.kind == Kind::boolean && event.boolean;
    if (key == "add_eos_token") ends = event.kind == Kind::boolean && event.boolean;
  }

 private:
  // `depth`: of the token in the path; its members lie one below.
  static void take(const JsonEvent& event, size_t depth, TokenRole& role) {
    const bool is_token = event.path.size() == depth;
    if (!is_token) return take_member(event, depth, role.flags, role.text);
    role.is_named = true;
    role.has_flags = role.has_flags || event.kind == Kind::begin_object;
    if (event.kind == Kind::text || event.kind == Kind::null) role.text = event.text;
  }

  static void take_member(const JsonEvent& event, size_t depth, AddedTokenEntry& flags, std::string& text) {
    if (event.path.size() != depth + 1) return;
    const std::string& field = event.path[depth];
    if (field == "content" && event.kind == Kind::text) text = event.text;
    if (event.kind != Kind::boolean) return;
    const std::pair<const char*, bool*> known[] = {{"normalized", &flags.normalized},
                                                   {"single_word", &flags.single_word},
                                                   {"lstrip", &flags.lstrip},
                                                   {"rstrip", &flags.rstrip},
                                                   {"special", &flags.special}};
    for (const auto& [name, flag] : known) {
      if (field == name) *flag = event.boolean;
    }
  }

  // A list of tokens, or an object of names and tokens.
  void take_additional(const JsonEvent& event) {
    if (event.path.size() < 2) return;
    if (event.path.size() == 2 && (event.kind == Kind::text || event.kind == Kind::begin_object)) {
      check_count(additional.size());
      additional.emplace_back().flags.special = true;
    }
    if (!additional.empty()) take(event, 2, additional.back());
  }

  void take_listed(const JsonEvent& event) {
    lists_added_tokens = true;
    if (event.path.size() < 2) return;
    const std::string& number = event.path[1];
    int64_t id = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (error != std::errc() || end != number.data() + number.size() || id < 0 || id >= kMaxListedId) {
      throw InvalidInput("{}: added_tokens_decoder: \"{}\" is no id; expected a number from 0 to {}", file_,
                         printable(number), kMaxListedId - 1);
    }
    check_count(listed.size());
    AddedTokenEntry& token = listed[id];
    if (event.kind == Kind::begin_object && event.path.size() == 2) {
      token = AddedTokenEntry();
      token.normalized = true;  // unless it is special, which is known at the end
      says_normalized_ = false;
    }
    if (event.path.size() == 3 && event.path[2] == "normalized") says_normalized_ = true;
    if (event.kind == Kind::end_object && event.path.size() == 2 && !says_normalized_)
      token.normalized = !token.special;
    token.id = static_cast<int32_t>(id);
    take_member(event, 2, token, token.text);
  }

  void check_count(size_t count) const {
    if (count > kMaxListedTokens) throw InvalidInput("{}: more than {} added tokens", file_, kMaxListedTokens);
  }

  std::string file_;
  bool says_normalized_ = false;
};

// added_tokens.json: {"<|im_start|>": 700}
class AddedTokensReader : public JsonVisitor {
 public:
  explicit AddedTokensReader(std::string file) : file_(std::move(file)) {}
  std::map<int64_t, std::string> texts;  // by id

  void event(const JsonEvent& event) override {
    if (event.path.size() != 1) return;
    if (event.kind != Kind::integer || event.integer < 0 || event.integer >= kMaxListedId ||
        texts.size() > kMaxListedTokens) {
      throw InvalidInput("{}: {}: expected an id from 0 to {}, and at most {} of them", file_, printable(event.path[0]),
                         kMaxListedId - 1, kMaxListedTokens);
    }
    texts[event.integer] = event.path[0];
  }

 private:
  std::string file_;
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

bool scan_if_there(const fs::path& path, JsonVisitor& visitor) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return false;
  scan_json_file(path.string(), visitor);
  return true;
}

// Without any class transformers goes by the model's type, other loaders by the tokenizer.json: what a file says is
// heeded, what it leaves to a default is not.
std::string loader_of(const SettingsReader& config, const fs::path& folder) {
  if (!config.loader.empty()) return config.loader;
  ModelReader model;
  scan_if_there(folder / "config.json", model);
  if (!model.loader.empty()) return model.loader;
  return model.model_type == "llama" && (config.begins || config.ends) ? "LlamaTokenizer" : "";
}

void apply_loader(SettingsReader& config, TokenizerSettings& settings) {
  const auto* const known = std::find_if(std::begin(kLoaders), std::end(kLoaders), [&](const Loader& loader) {
    return settings.loader == loader.name || settings.loader == std::string(loader.name) + "Fast";
  });
  if (known == std::end(kLoaders)) return;
  for (const auto& [role, text] :
       {std::pair{kBos, known->bos}, {kEos, known->eos}, {kUnk, known->unk}, {kPad, known->pad}}) {
    if (!config.roles[role].is_named) config.roles[role].text = text;
  }
  if (!known->frames) return;
  settings.frame = {config.begins.value_or(known->begins), config.ends.value_or(false), config.begins.has_value(),
                    config.ends.has_value()};
}

// Where there is no added_tokens_decoder, two older files are heeded.
void read_older_files(const fs::path& folder, SettingsReader& config, TokenizerSettings& settings) {
  SettingsReader map((folder / "special_tokens_map.json").string());
  scan_if_there(folder / "special_tokens_map.json", map);
  // Texts that added_tokens.json knows as special when it is read: tokenizer_config.json's objects come later.
  std::set<std::string> special;
  const auto note = [&](const TokenRole& role, bool is_known) {
    if (is_known) special.insert(role.text);
  };
  for (int role = 0; role < kRoles; ++role) {
    const bool is_of_map = map.roles[role].is_named;
    if (is_of_map) config.roles[role] = std::move(map.roles[role]);
    note(config.roles[role], is_of_map || !config.roles[role].has_flags);
  }
  for (const TokenRole& role : config.additional) note(role, !role.has_flags);
  for (const TokenRole& role : map.additional) note(role, true);
  std::move(map.additional.begin(), map.additional.end(), std::back_inserter(config.additional));
  const fs::path file = folder / "added_tokens.json";
  AddedTokensReader added(file.string());
  scan_if_there(file, added);
  for (auto& [id, text] : added.texts) {
    AddedTokenEntry token;
    token.id = static_cast<int32_t>(id);
    token.special = special.contains(text);
    token.normalized = !token.special;
    token.text = std::move(text);
    settings.listed.push_back(std::move(token));
  }
}

}  // namespace

TokenizerSettings read_tokenizer_settings(const std::string& tokenizer_json) {
  const fs::path folder(parent_of(tokenizer_json));
  TokenizerSettings settings;
  settings.file = (folder / "tokenizer_config.json").string();
  SettingsReader config(settings.file);
  if (scan_if_there(settings.file, config)) settings.loader = loader_of(config, folder);
  settings.listed_anew = config.lists_added_tokens;
  if (config.lists_added_tokens) {
    for (auto& [id, token] : config.listed) settings.listed.push_back(std::move(token));
  } else {
    read_older_files(folder, config, settings);
  }
  apply_loader(config, settings);
  settings.bos = config.roles[kBos];
  settings.eos = config.roles[kEos];
  settings.pad = config.roles[kPad];
  std::move(std::begin(config.roles), std::end(config.roles), std::back_inserter(settings.special));
  std::move(config.additional.begin(), config.additional.end(), std::back_inserter(settings.special));
  return settings;
}

}  // namespace headroom
