// The parts of a GGUF model that is cut into several files, as llama.cpp cuts them (gguf-split):
// NAME-00001-of-00003.gguf holds the metadata, each part tensors of its own.
#pragma once

#include <cstdint>
#include <string>

namespace headroom {

// Whether the name ends in .gguf, in letters of any case.
bool has_gguf_ending(const std::string& path);

// The first .gguf file of a folder, by name; empty if there is none.
std::string gguf_file_in(const std::string& directory);

// "a-00002-of-00003.gguf" -> "a-00001-of-00003.gguf"; a path that is no name of a part is its own first part.
std::string first_gguf_part(const std::string& path);

// The name of part `index`, from 0, beside `first`. Throws InvalidInput where `first` is not named like the first of
// `count` parts.
std::string gguf_part(const std::string& first, int64_t index, int64_t count);

}  // namespace headroom
