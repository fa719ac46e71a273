#include "headroom/api/prompt.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/tokenizer/token_encoder.h"

namespace headroom {
namespace {

constexpr int64_t kPromptPieceBytes = 16 * kKiB;

void encode_file(const std::string& path, TokenEncoder& encoder) {
  const File file = File::open(path);
  std::vector<char> piece(kPromptPieceBytes);
  for (int64_t offset = 0;;) {
    const int64_t got = file.read_some(offset, piece.data(), kPromptPieceBytes);
    if (got == 0) return;
    encoder.text({piece.data(), static_cast<size_t>(got)});
    offset += got;
  }
}

// Calls `take` with ids that are in the model's vocabulary.
template <class Take>
TokenSink checked(const std::string& model_directory, const Model& model, const Take& take) {
  return [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids) {
      if (id >= 0 && id < model.vocabulary()) continue;
      throw InvalidInput(
          "{}: the tokenizer gives the prompt a token id {}; expected ids below {}, the rows of the model's "
          "embedding: they do not belong together",
          model_directory, id, model.vocabulary());
    }
    take(ids);
  };
}

// What `write` gives the encoder, between the tokens that belong around a text.
std::vector<int32_t> encode_with_ends(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model,
                                      const std::function<void(TokenEncoder&)>& write) {
  const int64_t room = prompt_room(options, model);
  std::vector<int32_t> ids;
  const auto take = [&](std::span<const int32_t> more) {
    if (static_cast<int64_t>(ids.size() + more.size()) > room) refuse_prompt(options, room);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  const TokenSink append = checked(options.model, model, take);
  TokenEncoder encoder(tokenizer);
  encoder.begin(true, append);
  write(encoder);
  encoder.finish();
  if (!ids.empty()) return ids;
  const std::optional<int32_t> begin = tokenizer.bos_id() ? tokenizer.bos_id() : model.bos();
  if (!begin) {
    throw InvalidInput("the prompt is empty and {} has no token that begins a text; try --prompt TEXT", options.model);
  }
  if (*begin >= model.vocabulary()) {
    throw InvalidInput("{}: bos_token_id {} is none of the {} tokens of the model; expected less, or try --prompt TEXT",
                       options.model, *begin, model.vocabulary());
  }
  append({&*begin, 1});
  return ids;
}

}  // namespace

int64_t prompt_room(const GenerateOptions& options, const Model& model) {
  return options.context > 0 ? options.context : model.max_positions();
}

void refuse_prompt(const GenerateOptions& options, int64_t room) {
  throw InvalidInput("the prompt has more than {} tokens, which is all of the {}; {}", format_count(room),
                     options.context > 0 ? "--context" : "model's positions",
                     options.context > 0 ? "try a larger --context or a shorter prompt" : "try a shorter prompt");
}

std::vector<int32_t> encode_prompt(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model) {
  if (!options.prompt.empty() && !options.prompt_file.empty()) {
    throw InvalidInput("--prompt, --prompt-file: expected at most one of them");
  }
  if (options.prompt_file.empty()) return encode_prompt(options.prompt, options, tokenizer, model);
  return encode_with_ends(options, tokenizer, model,
                          [&](TokenEncoder& encoder) { encode_file(options.prompt_file, encoder); });
}

std::vector<int32_t> encode_prompt(const std::string& text, const GenerateOptions& options, const Tokenizer& tokenizer,
                                   const Model& model) {
  return encode_with_ends(options, tokenizer, model, [&](TokenEncoder& encoder) { encoder.text(text); });
}

std::vector<int32_t> encode_as_it_is(const std::string& text, const std::string& model_directory,
                                     const Tokenizer& tokenizer, const Model& model, int64_t most) {
  std::vector<int32_t> ids;
  const auto take = [&](std::span<const int32_t> more) {
    const int64_t room = most + 1 - static_cast<int64_t>(ids.size());
    ids.insert(ids.end(), more.begin(), more.begin() + std::min<int64_t>(room, static_cast<int64_t>(more.size())));
  };
  const TokenSink append = checked(model_directory, model, take);
  TokenEncoder encoder(tokenizer);
  encoder.begin(false, append);
  encoder.text(text);
  encoder.finish();
  return ids;
}

std::string read_prompt_file(const std::string& path, int64_t max_bytes) {
  const File file = File::open(path);
  if (file.size_bytes() > max_bytes) {
    throw InvalidInput("{}: has {} bytes; expected a message of at most {}", path, format_count(file.size_bytes()),
                       format_count(max_bytes));
  }
  std::string text(static_cast<size_t>(file.size_bytes()), '\0');
  file.read(0, text.data(), file.size_bytes());
  return text;
}

std::vector<int32_t> end_ids_of(const std::string& model_directory, const Model& model,
                                std::optional<int32_t> end_of_text) {
  std::vector<int32_t> ids;
  const auto add = [&](int32_t id) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  };
  if (end_of_text) add(*end_of_text);
  for (const int32_t id : model.eos()) add(id);
  const std::string path = (std::filesystem::path(model_directory) / "generation_config.json").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return ids;
  const JsonObject config = JsonObject::read(path);
  if (!config.has("eos_token_id")) return ids;
  const std::vector<int64_t> more = config.is_array("eos_token_id")
                                        ? config.integers("eos_token_id", 0, INT32_MAX)
                                        : std::vector{config.integer("eos_token_id", 0, INT32_MAX)};
  for (const int64_t id : more) add(static_cast<int32_t>(id));
  return ids;
}

}  // namespace headroom
