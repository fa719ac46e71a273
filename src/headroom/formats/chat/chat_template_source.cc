#include "headroom/formats/chat/chat_template_source.h"

#include <filesystem>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_scan.h"
#include "headroom/formats/tokenizer/tokenizer_settings.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Kind = JsonEvent::Kind;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The chat_template of tokenizer_config.json.
class ConfigReader : public JsonVisitor {
 public:
  std::string text;
  bool has_text = false;

  void event(const JsonEvent& event) override {
    if (!event.path.empty() && event.path[0] == "chat_template") read_template(event);
  }

 private:
  // The text itself, or [{"name": "default", "template": "..."}, ...].
  void read_template(const JsonEvent& event) {
    if (event.path.size() == 1 && event.kind == Kind::text) {
      text = event.text;
      has_text = true;
    }
    if (event.path.size() == 2 && event.kind == Kind::begin_object) {
      name_.clear();
      named_.clear();
    }
    if (event.path.size() == 2 && event.kind == Kind::end_object && name_ == "default") {
      text = named_;
      has_text = true;
    }
    if (event.path.size() != 3 || event.kind != Kind::text) return;
    if (event.path[2] == "name") name_ = event.text;
    if (event.path[2] == "template") named_ = event.text;
  }

  std::string name_;
  std::string named_;
};

std::string read_template_file(const std::string& path) {
  const File file = File::open(path);
  const int64_t size = file.size_bytes();
  if (size > ChatTemplate::kMaxSourceBytes) {
    throw InvalidInput("{}: has {} bytes; expected a chat template of at most {}", path, format_count(size),
                       format_count(ChatTemplate::kMaxSourceBytes));
  }
  std::string text(static_cast<size_t>(size), '\0');
  file.read(0, text.data(), size);
  return text;
}

std::optional<ChatTemplateSource> template_in_gguf(const std::string& path) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  const GgufFile file(path);
  if (!file.has(kKey)) return std::nullopt;
  const auto token = [&](std::string_view key) -> std::string {
    if (!file.has(key)) return "";
    GgufArray tokens(file, "tokenizer.ggml.tokens", true);
    const int64_t id = file.integer(key, 0, tokens.count() - 1);
    while (tokens.next() && tokens.index() < id) {
    }
    return std::string(tokens.text());
  };
  const ChatTokens tokens = {token("tokenizer.ggml.bos_token_id"), token("tokenizer.ggml.eos_token_id")};
  return ChatTemplateSource{file.text(kKey), path + ": " + std::string(kKey), tokens};
}

}  // namespace

std::optional<ChatTemplateSource> chat_template_of(const std::string& model) {
  if (GgufFile::is_gguf(model)) return template_in_gguf(model);
  const auto in_model = [&](const char* name) { return (fs::path(model) / name).string(); };
  const std::string config = in_model("tokenizer_config.json");
  const std::string file = in_model("chat_template.jinja");
  ConfigReader from_config;
  if (exists(config)) scan_json_file(config, from_config);

  const TokenizerSettings settings = read_tokenizer_settings(in_model("tokenizer.json"));
  ChatTemplateSource source;
  source.tokens = {settings.bos.text, settings.eos.text};
  if (exists(file)) {
    source.text = read_template_file(file);
    source.where = file;
  } else if (from_config.has_text) {
    source.text = std::move(from_config.text);
    source.where = config;
  } else {
    return std::nullopt;
  }
  return source;
}

ChatTemplateSource find_chat_template(const std::string& model) {
  std::optional<ChatTemplateSource> source = chat_template_of(model);
  if (source) return *std::move(source);
  throw InvalidInput("{}: the model has no chat template; expected {}", model,
                     GgufFile::is_gguf(model) ? "the key tokenizer.chat_template"
                                              : "chat_template.jinja, or chat_template in tokenizer_config.json");
}

ChatTemplate load_chat_template(const std::string& model, int64_t max_text_bytes) {
  ChatTemplateSource source = find_chat_template(model);
  return ChatTemplate(source.text, std::move(source.where), std::move(source.tokens), max_text_bytes);
}

}  // namespace headroom
