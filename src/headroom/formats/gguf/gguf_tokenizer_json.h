// The vocabulary of a GGUF file as the tokenizer.json and tokenizer_config.json of a Hugging Face directory, which give
// the same ids.
#pragma once

#include <string>

#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {

// Writes both into `directory`, each atomically, as the libraries tokenizers and transformers load them. Throws
// InvalidInput as load_gguf_tokenizer does. Takes as much memory as that tokenizer.
void write_tokenizer_of_gguf(const GgufFile& file, const std::string& directory);

}  // namespace headroom
