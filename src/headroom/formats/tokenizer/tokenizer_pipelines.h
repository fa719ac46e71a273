// Pipelines of known tokenizers, for vocabularies whose file only names them (GGUF: tokenizer.ggml.model and .pre): the
// same components that the model's own tokenizer.json has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "headroom/formats/tokenizer/tokenizer_outline.h"

namespace headroom {

// tokenizer.ggml.model "gpt2": pieces in the byte alphabet. `name` is tokenizer.ggml.pre: how text is normalized and
// cut into words. Sets the components of `outline` and its flags. Throws InvalidInput beginning with `where` and
// listing the names that are known.
void set_byte_level_pipeline(std::string_view name, std::string_view where, TokenizerOutline& outline);

// tokenizer.ggml.model "llama": SentencePiece with byte fallback, spaces as U+2581. `leading_space` is
// tokenizer.ggml.add_space_prefix (true if the file does not say).
void set_sentencepiece_pipeline(bool leading_space, TokenizerOutline& outline);

// The name by which a GGUF file would have the pipeline of `outline`; nothing if there is none. Regular expressions are
// compared as text, escapes and characters alike.
std::optional<std::string_view> find_byte_level_pipeline(const TokenizerOutline& outline);
// Whether SentencePiece's pipeline puts a space before a text; nothing if `outline` has another pipeline.
std::optional<bool> find_sentencepiece_pipeline(const TokenizerOutline& outline);
// The names that set_byte_level_pipeline knows, for messages.
std::string byte_level_pipelines();

struct NamedToken {
  int32_t id;
  std::string text;
};
// The tokens before and after a text that is encoded with special tokens.
void set_surrounding_tokens(const std::optional<NamedToken>& before, const std::optional<NamedToken>& after,
                            TokenizerOutline& outline);

}  // namespace headroom
