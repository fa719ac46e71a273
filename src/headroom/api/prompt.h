// The prompt of a generation job as token ids, and the ids that end its text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/headroom.h"
#include "headroom/models/model.h"

namespace headroom {

// options.prompt or the content of options.prompt_file, with what the tokenizer puts around a text; the begin token
// alone where that is nothing. Throws InvalidInput when there is no token, or they are more than the model, or
// options.context, has room for. `tokenizer` is the model's (open_tokenizer).
std::vector<int32_t> encode_prompt(const GenerateOptions& options, const Tokenizer& tokenizer, const Model& model);

// The same for a text.
std::vector<int32_t> encode_prompt(const std::string& text, const GenerateOptions& options, const Tokenizer& tokenizer,
                                   const Model& model);

// Tokens that a prompt may have: options.context, or as many as the model has positions.
int64_t prompt_room(const GenerateOptions& options, const Model& model);
// Throws InvalidInput for a prompt that has more.
[[noreturn]] void refuse_prompt(const GenerateOptions& options, int64_t room);

// `text` with the tokens that it spells, and none around it. Of a longer one the first `most` + 1 ids. Throws
// InvalidInput when an id is not in the model's vocabulary.
std::vector<int32_t> encode_as_it_is(const std::string& text, const std::string& model_directory,
                                     const Tokenizer& tokenizer, const Model& model, int64_t most);

// The whole of a file that is a message. Throws as File does, and InvalidInput beyond `max_bytes`.
std::string read_prompt_file(const std::string& path, int64_t max_bytes);

// The tokens that end a text or a turn, each once: `end_of_text`, which is the tokenizer's, those of config.json, or of
// a GGUF file, and those of generation_config.json.
std::vector<int32_t> end_ids_of(const std::string& model_directory, const Model& model,
                                std::optional<int32_t> end_of_text);

}  // namespace headroom
